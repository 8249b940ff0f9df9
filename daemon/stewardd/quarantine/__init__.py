"""The quarantine: rows that did not pass, kept as they came until someone puts them right."""
