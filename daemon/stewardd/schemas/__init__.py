"""The schemas of rows and payloads: JSON Schema documents, found in folders, compiled by fastcsv."""
