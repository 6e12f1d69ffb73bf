//! WIT values as JSON, both ways.
//!
//! Names stay as in the WIT. Records are objects, variants `{"case": payload}` or `"case"`, enums strings, flags arrays
//! of names, results `{"ok": …}` or `{"err": …}`, options the value or null (`{"some": …}` where the inner type is an
//! option too), bytes also `{"base64": "…"}`.

use crate::abi::Fallible;
use crate::json::{self, Path, Text, TooLarge};
use serde_json::{Map, Value};
use wasmtime::component::types::{self, ComponentFunc};
use wasmtime::component::{Type, Val};

/// Checks parameters, an array or an object by name, against a function's type.
pub fn params(params: &Value, function: &ComponentFunc) -> Fallible<Vec<Val>> {
    let count = function.params().len();
    match params {
        Value::Array(values) if values.len() == count => {
            let items = values.iter().zip(function.params()).enumerate();
            items.map(|(index, (value, (_, ty)))| read(&Path::Index(&Path::Root, index), value, &ty)).collect()
        }
        Value::Array(values) => Err(Path::Root.fail(format_args!("expected {count} values, got {}", values.len()))),
        Value::Object(values) => {
            let fields = fields(&Path::Root, "parameter", values, function.params())?;
            Ok(fields.into_iter().map(|(_, value)| value).collect())
        }
        other => Err(Path::Root.mismatch("array or object", other)),
    }
}

/// Every declared field, and no other; an absent option is none.
fn fields<'a>(
    path: &Path<'_>,
    what: &str,
    values: &Map<String, Value>,
    declared: impl ExactSizeIterator<Item = (&'a str, Type)>,
) -> Fallible<Vec<(String, Val)>> {
    let mut fields = Vec::with_capacity(declared.len());
    for (name, ty) in declared {
        let at = Path::Field(path, name);
        let value = match (values.get(name), &ty) {
            (Some(value), ty) => read(&at, value, ty)?,
            (None, Type::Option(_)) => Val::Option(None),
            (None, _) => return Err(at.fail(format_args!("missing {what}"))),
        };
        fields.push((name.to_string(), value));
    }
    match values.keys().find(|key| !fields.iter().any(|(name, _)| name == *key)) {
        Some(unknown) => Err(Path::Field(path, unknown).fail(format_args!("unknown {what}"))),
        None => Ok(fields),
    }
}

fn read(path: &Path<'_>, value: &Value, ty: &Type) -> Fallible<Val> {
    macro_rules! integer {
        ($variant:ident, $int:ty, $name:literal) => {
            Val::$variant(json::integer(path, $name, value, <$int>::MIN.into()..=<$int>::MAX.into())? as $int)
        };
    }
    Ok(match ty {
        Type::Bool => Val::Bool(value.as_bool().ok_or_else(|| path.mismatch("bool", value))?),
        Type::S8 => integer!(S8, i8, "s8"),
        Type::U8 => integer!(U8, u8, "u8"),
        Type::S16 => integer!(S16, i16, "s16"),
        Type::U16 => integer!(U16, u16, "u16"),
        Type::S32 => integer!(S32, i32, "s32"),
        Type::U32 => integer!(U32, u32, "u32"),
        Type::S64 => integer!(S64, i64, "s64"),
        Type::U64 => integer!(U64, u64, "u64"),
        Type::Float32 => Val::Float32(json::float32(path, value)?),
        Type::Float64 => Val::Float64(json::float(path, "f64", value)?),
        Type::Char => Val::Char(character(path, value)?),
        Type::String => Val::String(string(path, "string", value)?.into()),
        Type::List(list) => Val::List(read_list(path, value, &list.ty())?),
        Type::FixedLengthList(list) => {
            let items = read_list(path, value, &list.ty())?;
            if items.len() != list.len() as usize {
                return Err(path.fail(format_args!("expected {} values, got {}", list.len(), items.len())));
            }
            Val::FixedLengthList(items)
        }
        Type::Record(record) => {
            let values = value.as_object().ok_or_else(|| path.mismatch("object", value))?;
            Val::Record(fields(path, "field", values, record.fields().map(|field| (field.name, field.ty)))?)
        }
        Type::Tuple(tuple) => Val::Tuple(read_tuple(path, value, tuple)?),
        Type::Variant(variant) => {
            let (name, payload) = case(path, value)?;
            let Some(case) = variant.cases().find(|case| case.name == name) else {
                let names: Vec<_> = variant.cases().map(|case| case.name).collect();
                return Err(path.fail(format_args!("expected one of {}, got {name:?}", names.join(", "))));
            };
            let payload = read_payload(&Path::Field(path, name), payload, case.ty)?;
            Val::Variant(name.to_string(), payload)
        }
        Type::Enum(ty) => Val::Enum(one_of(path, value, ty.names())?),
        Type::Option(option) => match (value, option.ty()) {
            (Value::Null, _) => Val::Option(None),
            (Value::Object(some), inner @ Type::Option(_)) if some.len() == 1 && some.contains_key("some") => {
                Val::Option(Some(Box::new(read(&Path::Field(path, "some"), &some["some"], &inner)?)))
            }
            (_, Type::Option(_)) => return Err(path.mismatch("null or {\"some\": …}", value)),
            (value, inner) => Val::Option(Some(Box::new(read(path, value, &inner)?))),
        },
        Type::Result(result) => {
            let (name, payload) = case(path, value)?;
            let at = Path::Field(path, name);
            match name {
                "ok" => Val::Result(Ok(read_payload(&at, payload, result.ok())?)),
                "err" => Val::Result(Err(read_payload(&at, payload, result.err())?)),
                _ => return Err(path.fail(format_args!("expected ok or err, got {name:?}"))),
            }
        }
        Type::Flags(flags) => {
            let values = value.as_array().ok_or_else(|| path.mismatch("array of flag names", value))?;
            let items = values.iter().enumerate();
            let names = items.map(|(index, value)| one_of(&Path::Index(path, index), value, flags.names()));
            Val::Flags(names.collect::<Fallible<_>>()?)
        }
        Type::Own(_) | Type::Borrow(_) => return Err(path.fail("a resource cannot be passed as JSON")),
        Type::Map(_) | Type::Future(_) | Type::Stream(_) | Type::ErrorContext => {
            return Err(path.fail("a value of this type cannot be passed as JSON"));
        }
    })
}

fn string<'a>(path: &Path<'_>, expected: &str, value: &'a Value) -> Fallible<&'a str> {
    value.as_str().ok_or_else(|| path.mismatch(expected, value))
}

fn character(path: &Path<'_>, value: &Value) -> Fallible<char> {
    let text = string(path, "char", value)?;
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) => Ok(character),
        _ => Err(path.fail("expected char, got a string that is not one character")),
    }
}

fn one_of<'a>(path: &Path<'_>, value: &Value, names: impl Iterator<Item = &'a str>) -> Fallible<String> {
    let names: Vec<_> = names.collect();
    let name = string(path, &format!("one of {}", names.join(", ")), value)?;
    if names.contains(&name) {
        return Ok(name.to_string());
    }
    Err(path.fail(format_args!("expected one of {}, got {name:?}", names.join(", "))))
}

/// `"case"` or `{"case": payload}`.
fn case<'a>(path: &Path<'_>, value: &'a Value) -> Fallible<(&'a str, Option<&'a Value>)> {
    match value {
        Value::String(name) => Ok((name, None)),
        Value::Object(object) if object.len() == 1 => {
            Ok(object.iter().next().map(|(name, payload)| (name.as_str(), Some(payload))).unwrap_or_default())
        }
        other => Err(path.mismatch("\"case\" or {\"case\": payload}", other)),
    }
}

fn read_payload(path: &Path<'_>, payload: Option<&Value>, ty: Option<Type>) -> Fallible<Option<Box<Val>>> {
    match (payload, ty) {
        (None | Some(Value::Null), None) => Ok(None),
        (Some(_), None) => Err(path.fail("takes no payload")),
        (payload, Some(ty)) => Ok(Some(Box::new(read(path, payload.unwrap_or(&Value::Null), &ty)?))),
    }
}

fn read_list(path: &Path<'_>, value: &Value, item: &Type) -> Fallible<Vec<Val>> {
    match value {
        Value::Array(values) => {
            let items = values.iter().enumerate();
            items.map(|(index, value)| read(&Path::Index(path, index), value, item)).collect()
        }
        Value::Object(object) if matches!(item, Type::U8) && object.len() == 1 && object.contains_key("base64") => {
            let at = Path::Field(path, "base64");
            let bytes = decode_base64(string(&at, "string", &object["base64"])?);
            let bytes = bytes.ok_or_else(|| at.fail("not valid base64"))?;
            Ok(bytes.into_iter().map(Val::U8).collect())
        }
        other => Err(path.mismatch("array", other)),
    }
}

fn read_tuple(path: &Path<'_>, value: &Value, tuple: &types::Tuple) -> Fallible<Vec<Val>> {
    let values = value.as_array().ok_or_else(|| path.mismatch("array", value))?;
    let types = tuple.types();
    if values.len() != types.len() {
        return Err(path.fail(format_args!("expected {} values, got {}", types.len(), values.len())));
    }
    let items = values.iter().zip(types).enumerate();
    items.map(|(index, (value, ty))| read(&Path::Index(path, index), value, &ty)).collect()
}

/// How results are written.
#[derive(Clone, Copy)]
pub struct Form {
    pub bound: u64,
    pub bytes_base64: bool,
}

/// The JSON of a function's results: null, one value, or an array of several.
pub fn results(values: &[Val], function: &ComponentFunc, form: Form) -> Result<Vec<u8>, TooLarge> {
    let mut text = Text::new(form.bound);
    let types: Vec<_> = function.results().collect();
    match (values, types.as_slice()) {
        ([], _) => text.raw("null")?,
        ([value], [ty]) => write(&mut text, value, ty, form)?,
        _ => text.list(["[", "]"], values.iter().zip(&types), |text, (value, ty)| write(text, value, ty, form))?,
    }
    Ok(text.finish())
}

fn write(text: &mut Text, value: &Val, ty: &Type, form: Form) -> Result<(), TooLarge> {
    match (value, ty) {
        (Val::Bool(value), _) => text.raw(if *value { "true" } else { "false" }),
        (Val::S8(number), _) => text.integer((*number).into()),
        (Val::U8(number), _) => text.integer((*number).into()),
        (Val::S16(number), _) => text.integer((*number).into()),
        (Val::U16(number), _) => text.integer((*number).into()),
        (Val::S32(number), _) => text.integer((*number).into()),
        (Val::U32(number), _) => text.integer((*number).into()),
        (Val::S64(number), _) => text.integer((*number).into()),
        (Val::U64(number), _) => text.integer((*number).into()),
        (Val::Float32(number), _) => text.float32(*number),
        (Val::Float64(number), _) => text.float(*number),
        (Val::Char(character), _) => text.string(character.encode_utf8(&mut [0; 4])),
        (Val::String(string) | Val::Enum(string), _) => text.string(string),
        (Val::List(items), Type::List(list)) => write_list(text, items, &list.ty(), form),
        (Val::FixedLengthList(items), Type::FixedLengthList(list)) => write_list(text, items, &list.ty(), form),
        (Val::Record(fields), Type::Record(record)) => {
            text.list(["{", "}"], fields.iter().zip(record.fields()), |text, ((name, value), field)| {
                text.string(name)?;
                text.raw(":")?;
                write(text, value, &field.ty, form)
            })
        }
        (Val::Tuple(items), Type::Tuple(tuple)) => {
            text.list(["[", "]"], items.iter().zip(tuple.types()), |text, (value, ty)| write(text, value, &ty, form))
        }
        (Val::Variant(name, None), _) => text.string(name),
        (Val::Variant(name, payload), Type::Variant(variant)) => {
            let ty = variant.cases().find(|case| case.name == name).and_then(|case| case.ty);
            write_case(text, name, payload, ty, form)
        }
        (Val::Option(None), _) => text.raw("null"),
        (Val::Option(Some(value)), Type::Option(option)) => match option.ty() {
            inner @ Type::Option(_) => {
                text.raw("{\"some\":")?;
                write(text, value, &inner, form)?;
                text.raw("}")
            }
            inner => write(text, value, &inner, form),
        },
        (Val::Result(Ok(payload)), Type::Result(result)) => write_case(text, "ok", payload, result.ok(), form),
        (Val::Result(Err(payload)), Type::Result(result)) => write_case(text, "err", payload, result.err(), form),
        (Val::Flags(names), _) => text.list(["[", "]"], names, |text, name| text.string(name)),
        // Resources and the like mean nothing outside of their store; `callable` refuses such functions.
        _ => text.raw("null"),
    }
}

fn write_case(
    text: &mut Text,
    name: &str,
    payload: &Option<Box<Val>>,
    ty: Option<Type>,
    form: Form,
) -> Result<(), TooLarge> {
    text.raw("{")?;
    text.string(name)?;
    text.raw(":")?;
    match (payload, ty) {
        (Some(value), Some(ty)) => write(text, value, &ty, form)?,
        _ => text.raw("null")?,
    }
    text.raw("}")
}

fn write_list(text: &mut Text, items: &[Val], item: &Type, form: Form) -> Result<(), TooLarge> {
    if !(form.bytes_base64 && matches!(item, Type::U8)) {
        return text.list(["[", "]"], items, |text, value| write(text, value, item, form));
    }
    text.raw("{\"base64\":\"")?;
    for chunk in items.chunks(3) {
        let byte = |index: usize| match chunk.get(index) {
            Some(Val::U8(byte)) => u32::from(*byte),
            _ => 0,
        };
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let digit = if digit <= chunk.len() { bits >> (18 - 6 * digit) & 63 } else { 64 };
            text.raw(&DIGITS[digit as usize..=digit as usize])?;
        }
    }
    text.raw("\"}")
}

/// The base64 alphabet of RFC 4648, with the padding as digit 64.
const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if digits.len() % 4 == 1 || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = DIGITS.bytes().position(|known| known == digit).filter(|value| *value < 64)?;
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}
