//! A tensor: its shape, and its values one after the other in row-major order, from JSON or from bytes.

use std::borrow::Cow;
use std::fmt;

use arrow::datatypes::{ArrowPrimitiveType, Float16Type};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::payloads::rows;
use crate::sources::object::unquoted;

/// The types of V2, as its specification names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datatype {
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp16,
    Bf16,
    Fp32,
    Fp64,
    Bytes,
}

impl Datatype {
    pub const ALL: [Self; 14] = [
        Self::Bool,
        Self::Uint8,
        Self::Uint16,
        Self::Uint32,
        Self::Uint64,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Fp16,
        Self::Bf16,
        Self::Fp32,
        Self::Fp64,
        Self::Bytes,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Uint8 => "UINT8",
            Self::Uint16 => "UINT16",
            Self::Uint32 => "UINT32",
            Self::Uint64 => "UINT64",
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Fp16 => "FP16",
            Self::Bf16 => "BF16",
            Self::Fp32 => "FP32",
            Self::Fp64 => "FP64",
            Self::Bytes => "BYTES",
        }
    }

    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// A value of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    Missing,
    Flag(bool),
    Number(f64),
    Text(Cow<'a, str>),
}

impl<'a> Cell<'a> {
    /// The values of `data`, nested as its shape is or flat.
    pub fn from_json(text: &'a str) -> Result<Vec<Self>, String> {
        let mut cells = Vec::new();
        let mut deserializer = serde_json::Deserializer::from_str(text);
        match (Flat { cells: &mut cells }).deserialize(&mut deserializer) {
            Ok(()) => Ok(cells),
            Err(error) => Err(format!("cannot be read: {}", unquoted(&error))),
        }
    }

    /// The values of the binary extension: little-endian, texts after their lengths.
    pub fn from_bytes(bytes: &'a [u8], datatype: Datatype) -> Result<Vec<Self>, String> {
        match datatype {
            Datatype::Bytes => texts(bytes),
            Datatype::Bool => Ok(bytes.iter().map(|byte| Self::Flag(*byte != 0)).collect()),
            Datatype::Uint8 => numbers(bytes, u8::from_le_bytes),
            Datatype::Uint16 => numbers(bytes, u16::from_le_bytes),
            Datatype::Uint32 => numbers(bytes, u32::from_le_bytes),
            Datatype::Uint64 => numbers(bytes, |bytes| u64::from_le_bytes(bytes) as f64),
            Datatype::Int8 => numbers(bytes, i8::from_le_bytes),
            Datatype::Int16 => numbers(bytes, i16::from_le_bytes),
            Datatype::Int32 => numbers(bytes, i32::from_le_bytes),
            Datatype::Int64 => numbers(bytes, |bytes| i64::from_le_bytes(bytes) as f64),
            Datatype::Fp16 => numbers(bytes, |bytes| {
                <Float16Type as ArrowPrimitiveType>::Native::from_le_bytes(bytes).to_f32()
            }),
            // The upper half of a 32-bit float.
            Datatype::Bf16 => {
                numbers(bytes, |bytes| f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16))
            }
            Datatype::Fp32 => numbers(bytes, f32::from_le_bytes),
            Datatype::Fp64 => numbers(bytes, f64::from_le_bytes),
        }
    }

    pub fn value(&self) -> Value {
        match self {
            Self::Missing => Value::Null,
            Self::Flag(flag) => Value::Bool(*flag),
            Self::Number(value) => rows::number(*value),
            Self::Text(text) => Value::String(text.to_string()),
        }
    }
}

fn numbers<'a, const N: usize, T: Into<f64>>(
    bytes: &[u8],
    read: impl Fn([u8; N]) -> T,
) -> Result<Vec<Cell<'a>>, String> {
    let (chunks, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(format!("has {} bytes, which are no values of {N} bytes each", bytes.len()));
    }
    Ok(chunks.iter().map(|chunk| Cell::Number(read(*chunk).into())).collect())
}

fn texts(mut bytes: &[u8]) -> Result<Vec<Cell<'_>>, String> {
    let mut cells = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let (text, rest) = rest.split_at_checked(length).ok_or("ends within a text")?;
        cells.push(Cell::Text(String::from_utf8_lossy(text)));
        bytes = rest;
    }
    if bytes.is_empty() { Ok(cells) } else { Err("ends within the length of a text".to_owned()) }
}

/// A named array of values.
#[derive(Clone, Debug)]
pub struct Tensor<'a> {
    pub name: Cow<'a, str>,
    pub shape: Vec<u64>,
    cells: Vec<Cell<'a>>,
    width: usize,
}

impl<'a> Tensor<'a> {
    /// # Errors
    /// Where there are not as many values as the shape says.
    pub fn new(name: Cow<'a, str>, shape: Vec<u64>, cells: Vec<Cell<'a>>) -> Result<Self, String> {
        let product =
            |dimensions: &[u64]| dimensions.iter().try_fold(1_u64, |product, n| product.checked_mul(*n));
        if product(&shape) != Some(cells.len() as u64) {
            let shown: Vec<String> = shape.iter().take(8).map(u64::to_string).collect();
            return Err(format!("has {} values where its shape is [{}]", cells.len(), shown.join(", ")));
        }
        let width = product(shape.get(1..).unwrap_or_default()).unwrap_or_default() as usize;
        Ok(Self { name, shape, cells, width })
    }

    /// The first dimension; a tensor without any is one value.
    pub fn instances(&self) -> usize {
        self.shape.first().map_or(1, |n| *n as usize)
    }

    /// Values of an instance.
    pub fn width(&self) -> usize {
        self.width
    }

    pub fn row(&self, row: usize) -> &[Cell<'a>] {
        let start = row * self.width;
        self.cells.get(start..start + self.width).unwrap_or_default()
    }
}

/// Reads values out of whatever nesting they stand in.
struct Flat<'c, 'a> {
    cells: &'c mut Vec<Cell<'a>>,
}

impl<'de> DeserializeSeed<'de> for Flat<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Flat<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of numbers, texts or booleans")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.cells.push(Cell::Missing);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.cells.push(Cell::Flag(value));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.cells.push(Cell::Number(value as f64));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.cells.push(Cell::Number(value as f64));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.cells.push(Cell::Number(value));
        Ok(())
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<(), E> {
        self.cells.push(Cell::Text(Cow::Borrowed(value)));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.cells.push(Cell::Text(Cow::Owned(value.to_owned())));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Flat { cells: &mut *self.cells })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Err(A::Error::custom("an object is no value of a tensor"))
    }
}
