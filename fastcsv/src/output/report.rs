//! `report.json`: what a batch came to. The same facts go to the caller as `Report`.

use super::file::OutputFile;
use crate::schema::Difference;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub const NAME: &str = "report.json";

/// What a batch came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub batch: String,
    pub source_file: String,
    pub schema: String,
    pub version: String,
    pub total_rows: u64,
    pub valid_rows: u64,
    pub quarantined_rows: u64,
    pub recovered_rows: u64,
    /// Of the input as it came.
    pub size_bytes: u64,
    pub crc32c: u32,
    pub errors_by_field: BTreeMap<String, u64>,
    pub errors_by_keyword: BTreeMap<&'static str, u64>,
    pub total_errors: u64,
    pub difference: Difference,
    /// Nothing where the format has none.
    pub delimiter: Option<char>,
    pub encoding: &'static str,
    pub compression: &'static str,
    pub files: Vec<OutputFile>,
    /// RFC 3339.
    pub made_at: String,
}

impl Report {
    /// The document, with the files written so far.
    #[must_use]
    pub fn to_json(&self, files: &[OutputFile]) -> Vec<u8> {
        let files: Vec<Value> = files
            .iter()
            .map(|file| {
                json!({"name": file.name, "sizeBytes": file.size_bytes, "crc32c": file.crc32c})
            })
            .collect();
        let mut by_type = Map::new();
        by_type.insert(self.schema.clone(), self.total_errors.into());
        let similar = self.difference.similar.iter();
        let similar: Map<String, Value> =
            similar.map(|it| (it.found.clone(), it.meant.clone().into())).collect();
        let document = json!({
            "batchId": self.batch,
            "sourceFile": self.source_file,
            "csvType": self.schema,
            "schemaVersion": self.version,
            "totalRows": self.total_rows,
            "validRows": self.valid_rows,
            "quarantinedRows": self.quarantined_rows,
            "recoveredRows": self.recovered_rows,
            "totalErrors": self.total_errors,
            "errorsByField": self.errors_by_field,
            "errorsByRule": self.errors_by_keyword,
            "errorsByCsvType": by_type,
            "unknownColumns": self.difference.unknown,
            "missingOptionalColumns": self.difference.missing_optional,
            "similarColumns": similar,
            "delimiter": self.delimiter,
            "encoding": self.encoding,
            "compression": self.compression,
            "sizeBytes": self.size_bytes,
            "crc32c": self.crc32c,
            "files": files,
            "madeAt": self.made_at,
        });
        let mut text = format!("{document:#}").into_bytes();
        text.push(b'\n');
        text
    }
}
