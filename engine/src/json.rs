//! What core values and WIT values share on their way from and to JSON: paths, numbers, bounded output.

use crate::abi::{ErrorKind, Failure, Fallible};
use serde_json::Value;
use std::fmt;

/// Integers up to here survive in every JSON implementation; beyond, they are written as decimal strings.
const EXACT: i128 = 1 << 53;

/// Where in the parameters a value stands: `params[1].address.zip`.
#[derive(Clone, Copy)]
pub enum Path<'a> {
    Root,
    Index(&'a Path<'a>, usize),
    Field(&'a Path<'a>, &'a str),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("params"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
        }
    }
}

impl Path<'_> {
    pub fn fail(&self, problem: impl fmt::Display) -> Failure {
        Failure::new(ErrorKind::BadParams, format!("{self}: {problem}"))
    }

    pub fn mismatch(&self, expected: impl fmt::Display, got: &Value) -> Failure {
        let got: &dyn fmt::Display = match got {
            Value::Null => &"null",
            Value::Bool(_) => &"bool",
            Value::Number(number) => number,
            Value::String(_) => &"string",
            Value::Array(_) => &"array",
            Value::Object(_) => &"object",
        };
        self.fail(format_args!("expected {expected}, got {got}"))
    }
}

/// The call's parameters; no bytes at all mean no parameters.
pub fn parse(params: &[u8]) -> Fallible<Value> {
    if params.is_empty() {
        return Ok(Value::Array(Vec::new()));
    }
    serde_json::from_slice(params).map_err(|error| Path::Root.fail(format_args!("not valid JSON: {error}")))
}

/// An integer in range; 64-bit ones may also be decimal strings.
pub fn integer(path: &Path<'_>, kind: &str, value: &Value, range: std::ops::RangeInclusive<i128>) -> Fallible<i128> {
    let number = match value {
        Value::Number(number) => number
            .as_i128()
            .or_else(|| number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() <= EXACT as f64).map(|f| f as i128)),
        Value::String(text) if kind.ends_with("64") => text.parse().ok(),
        _ => None,
    };
    number.filter(|number| range.contains(number)).ok_or_else(|| path.mismatch(kind, value))
}

/// A floating-point number, or the name of one that JSON cannot write.
pub fn float(path: &Path<'_>, kind: &str, value: &Value) -> Fallible<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    };
    number.ok_or_else(|| path.mismatch(kind, value))
}

/// As [`float`], in single precision; a finite number too large for it is refused.
pub fn float32(path: &Path<'_>, value: &Value) -> Fallible<f32> {
    let wide = float(path, "f32", value)?;
    let narrow = wide as f32;
    if narrow.is_infinite() && wide.is_finite() { Err(path.mismatch("f32", value)) } else { Ok(narrow) }
}

/// JSON text that may not grow beyond a bound.
pub struct Text {
    bytes: Vec<u8>,
    bound: u64,
}

/// The bound of a [`Text`] was reached.
#[derive(Debug)]
pub struct TooLarge;

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("output limit exceeded by the result")
    }
}

impl std::error::Error for TooLarge {}

impl Text {
    pub fn new(bound: u64) -> Self {
        Self { bytes: Vec::new(), bound }
    }

    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    pub fn raw(&mut self, text: &str) -> Result<(), TooLarge> {
        if (self.bytes.len() + text.len()) as u64 > self.bound {
            return Err(TooLarge);
        }
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }

    pub fn string(&mut self, text: &str) -> Result<(), TooLarge> {
        // Checked before it is escaped, so that a huge string is not copied in vain.
        if text.len() as u64 > self.bound {
            return Err(TooLarge);
        }
        self.raw(&Value::String(text.to_string()).to_string())
    }

    pub fn integer(&mut self, number: i128) -> Result<(), TooLarge> {
        if (-EXACT..=EXACT).contains(&number) {
            self.raw(&number.to_string())
        } else {
            self.raw(&format!("\"{number}\""))
        }
    }

    pub fn float(&mut self, number: f64) -> Result<(), TooLarge> {
        match serde_json::Number::from_f64(number) {
            Some(number) => self.raw(&number.to_string()),
            None => self.raw(not_finite(number)),
        }
    }

    /// The shortest text that reads back as the same single-precision number.
    pub fn float32(&mut self, number: f32) -> Result<(), TooLarge> {
        match serde_json::to_string(&number) {
            Ok(text) if number.is_finite() => self.raw(&text),
            _ => self.raw(not_finite(number.into())),
        }
    }

    /// Items between brackets, each written by `item`.
    pub fn list<T>(
        &mut self,
        brackets: [&str; 2],
        items: impl IntoIterator<Item = T>,
        mut item: impl FnMut(&mut Self, T) -> Result<(), TooLarge>,
    ) -> Result<(), TooLarge> {
        self.raw(brackets[0])?;
        for (index, value) in items.into_iter().enumerate() {
            if index > 0 {
                self.raw(",")?;
            }
            item(self, value)?;
        }
        self.raw(brackets[1])
    }
}

fn not_finite(number: f64) -> &'static str {
    if number.is_nan() {
        "\"NaN\""
    } else if number > 0.0 {
        "\"Infinity\""
    } else {
        "\"-Infinity\""
    }
}
