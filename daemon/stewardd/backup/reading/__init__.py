"""Reading a backup's data back: checked, decrypted and unpacked."""
