"""Programs that judge payloads, in Python, Node and Rust. All read the same file and print the same facts."""
