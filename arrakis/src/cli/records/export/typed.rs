//! A table with a type for each column, as a Parquet file.

use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::Result as Written;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use serde_json::Value;

use super::wide::{Wide, cell};
use crate::error::{Error, Result};
use crate::experiment::json;

/// The values of a column, `None` where a run has none.
enum Column {
    Truth(Vec<Option<bool>>),
    Whole(Vec<Option<i64>>),
    Number(Vec<Option<f64>>),
    Text(Vec<Option<ByteArray>>),
}

impl Column {
    /// The narrowest type that has all values: truth, whole numbers, numbers, otherwise text, with lists as JSON.
    fn of(values: &[&Value]) -> Self {
        let all =
            |values: &[&Value], fits: fn(&Value) -> bool| values.iter().all(|value| value.is_null() || fits(value));
        if values.iter().all(|value| value.is_null()) {
            return Self::Text(vec![None; values.len()]);
        }
        if all(values, Value::is_boolean) {
            return Self::Truth(values.iter().map(|value| value.as_bool()).collect());
        }
        if all(values, Value::is_i64) {
            return Self::Whole(values.iter().map(|value| value.as_i64()).collect());
        }
        if all(values, |value| number(value).is_some()) {
            return Self::Number(values.iter().map(|value| number(value)).collect());
        }
        let text = |value: &&Value| (!value.is_null()).then(|| ByteArray::from(cell(value).into_bytes()));
        Self::Text(values.iter().map(text).collect())
    }

    fn schema(&self, name: &str) -> Written<Type> {
        let (physical, logical) = match self {
            Self::Truth(_) => (Physical::BOOLEAN, None),
            Self::Whole(_) => (Physical::INT64, None),
            Self::Number(_) => (Physical::DOUBLE, None),
            Self::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        builder.with_logical_type(logical).build()
    }

    fn write(&self, group: &mut SerializedRowGroupWriter<'_, Vec<u8>>) -> Written<()> {
        match self {
            Self::Truth(values) => write::<BoolType>(values, group),
            Self::Whole(values) => write::<Int64Type>(values, group),
            Self::Number(values) => write::<DoubleType>(values, group),
            Self::Text(values) => write::<ByteArrayType>(values, group),
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.is_object().then(|| json::from_value(value).ok()).flatten())
}

fn write<T: DataType>(values: &[Option<T::T>], group: &mut SerializedRowGroupWriter<'_, Vec<u8>>) -> Written<()> {
    let mut column = group.next_column()?.expect("BUG: the schema has every column");
    let there: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let values: Vec<T::T> = values.iter().flatten().cloned().collect();
    column.typed::<T>().write_batch(&values, Some(&there), None)?;
    column.close()
}

/// The table as a Parquet file, compressed with Snappy.
pub(super) fn parquet(table: &Wide) -> Result<Vec<u8>> {
    file(table).map_err(|error| Error::Value { of: "export", problem: format!("the table cannot be written: {error}") })
}

fn file(table: &Wide) -> Written<Vec<u8>> {
    let of = |at: usize| Column::of(&table.rows.iter().map(|row| &row[at]).collect::<Vec<_>>());
    let columns: Vec<Column> = (0..table.columns.len()).map(of).collect();
    let fields = columns.iter().zip(&table.columns).map(|(column, name)| column.schema(name).map(Arc::new));
    let schema = Type::group_type_builder("runs").with_fields(fields.collect::<Written<_>>()?).build()?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    columns.iter().try_for_each(|column| column.write(&mut group))?;
    group.close()?;
    writer.into_inner()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::Field;
    use serde_json::json;

    use super::*;

    fn read(bytes: &[u8]) -> SerializedFileReader<std::fs::File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        SerializedFileReader::new(file).unwrap()
    }

    #[test]
    fn each_column_has_the_narrowest_type_that_fits() {
        let columns = ["whole", "number", "truth", "text", "mixed", "none", "list"].map(str::to_owned).to_vec();
        let rows = vec![
            vec![json!(3), json!(0.5), json!(true), json!("é"), json!(1), Value::Null, json!([1, 2])],
            vec![
                json!(-4),
                json!({"$float": "NaN"}),
                Value::Null,
                json!("b"),
                json!("x"),
                Value::Null,
                json!({"a": 1}),
            ],
            vec![Value::Null, json!(2), json!(false), Value::Null, json!(2.5), Value::Null, Value::Null],
        ];
        let bytes = parquet(&Wide { columns: columns.clone(), rows }).unwrap();
        let reader = read(&bytes);
        let rows: Vec<Vec<(String, Field)>> = reader
            .get_row_iter(None)
            .unwrap()
            .map(|row| row.unwrap().get_column_iter().map(|(name, field)| (name.clone(), field.clone())).collect())
            .collect();
        let names: Vec<&String> = rows[0].iter().map(|(name, _)| name).collect();
        assert_eq!(names, columns.iter().collect::<Vec<_>>());
        let column = |at: usize| rows.iter().map(|row| row[at].1.clone()).collect::<Vec<Field>>();
        let text = |text: &str| Field::Str(text.to_owned());
        assert_eq!(column(0), [Field::Long(3), Field::Long(-4), Field::Null]);
        assert!(matches!(column(1)[..], [Field::Double(0.5), Field::Double(nan), Field::Double(2.0)] if nan.is_nan()));
        assert_eq!(column(2), [Field::Bool(true), Field::Null, Field::Bool(false)]);
        assert_eq!(column(3), [text("é"), text("b"), Field::Null]);
        assert_eq!(column(4), [text("1"), text("x"), text("2.5")]);
        assert_eq!(column(5), [Field::Null, Field::Null, Field::Null]);
        assert_eq!(column(6), [text("[1,2]"), text(r#"{"a":1}"#), Field::Null]);
    }

    #[test]
    fn no_runs_are_a_table_without_rows() {
        let bytes = parquet(&Wide { columns: vec!["status".into()], rows: Vec::new() }).unwrap();
        assert_eq!(read(&bytes).metadata().file_metadata().num_rows(), 0);
    }
}
