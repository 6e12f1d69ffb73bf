//! Core values as JSON: numbers; 64-bit integers beyond ±2^53 as decimal strings; v128 as "0x" and 32 hex digits.

use crate::abi::{Failure, Fallible};
use crate::json::{self, Path, Text, TooLarge};
use serde_json::Value;
use wasmtime::{Val, ValType};

/// Checks parameters against a signature.
pub fn params(params: &Value, types: &[ValType]) -> Fallible<Vec<Val>> {
    let Value::Array(values) = params else {
        return Err(Path::Root.mismatch("array (the parameters of core functions have no names)", params));
    };
    if values.len() != types.len() {
        return Err(Path::Root.fail(format_args!("expected {} values, got {}", types.len(), values.len())));
    }
    let items = values.iter().zip(types).enumerate();
    items.map(|(index, (value, ty))| param(&Path::Index(&Path::Root, index), value, ty)).collect()
}

fn param(path: &Path<'_>, value: &Value, ty: &ValType) -> Fallible<Val> {
    Ok(match ty {
        ValType::I32 => Val::I32(json::integer(path, "i32", value, i32::MIN.into()..=u32::MAX.into())? as i32),
        ValType::I64 => Val::I64(json::integer(path, "i64", value, i64::MIN.into()..=u64::MAX.into())? as i64),
        ValType::F32 => Val::F32(json::float32(path, value)?.to_bits()),
        ValType::F64 => Val::F64(json::float(path, "f64", value)?.to_bits()),
        ValType::V128 => Val::V128(v128(path, value)?.into()),
        ValType::Ref(_) => return Err(path.fail(format_args!("{ty} cannot be passed as JSON"))),
    })
}

fn v128(path: &Path<'_>, value: &Value) -> Result<u128, Failure> {
    let text = value.as_str().ok_or_else(|| path.mismatch("v128 (a string)", value))?;
    match text.strip_prefix("0x") {
        Some(digits) => u128::from_str_radix(digits, 16),
        None => text.parse(),
    }
    .map_err(|_| path.fail("expected v128: a decimal string, or \"0x\" and up to 32 hex digits"))
}

/// Nothing is null, one value stands alone, several are an array.
pub fn results(values: &[Val], bound: u64) -> Result<Vec<u8>, TooLarge> {
    let mut text = Text::new(bound);
    match values {
        [] => text.raw("null")?,
        [value] => result(&mut text, value)?,
        values => text.list(["[", "]"], values, result)?,
    }
    Ok(text.finish())
}

fn result(text: &mut Text, value: &Val) -> Result<(), TooLarge> {
    match value {
        Val::I32(number) => text.integer((*number).into()),
        Val::I64(number) => text.integer((*number).into()),
        Val::F32(bits) => text.float32(f32::from_bits(*bits)),
        Val::F64(bits) => text.float(f64::from_bits(*bits)),
        Val::V128(bits) => text.raw(&format!("\"0x{:032x}\"", bits.as_u128())),
        // References mean nothing outside of their store.
        _ => text.raw("null"),
    }
}
