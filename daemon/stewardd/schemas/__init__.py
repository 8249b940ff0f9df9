"""The schemas that rows and payloads are held to: JSON Schema documents, found in folders, compiled by fastcsv."""
