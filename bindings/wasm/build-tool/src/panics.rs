//! The messages of panics are for nobody: the panic handler traps without a look at them. The compiled standard library makes
//! them all the same, so they are taken out of the module.

use std::ffi::OsStr;

use anyhow::{Result, ensure};
use walrus::ir::Value;
use walrus::{
    ConstExpr, Data, DataId, DataKind, FunctionBuilder, FunctionId, FunctionKind, Module,
};

/// Where the standard library prepares the message of a panic, or tells of memory that is not to be had: by their names in
/// symbols. None of them returns.
const PANICS: [&str; 8] = [
    "9panicking",
    "16slice_index_fail",
    "13expect_failed",
    "13unwrap_failed",
    "13assert_failed",
    "12handle_error",
    "18handle_alloc_error",
    "17capacity_overflow",
];

/// The module in which these trap at once, and whose data lacks the texts for their messages.
pub(crate) fn without_messages(file: &OsStr) -> Result<Module> {
    let mut module = Module::from_file(file)?;
    let panics: Vec<FunctionId> = module
        .funcs
        .iter()
        .filter(|function| is_panic(function.name.as_deref()))
        .map(|function| function.id())
        .collect();
    ensure!(
        !panics.is_empty(),
        "no panics: were the names of functions kept, and are they still those in PANICS?"
    );
    for id in panics {
        let kind = module.types.get(module.funcs.get(id).ty());
        let (params, results) = (kind.params().to_vec(), kind.results().to_vec());
        let arguments = params
            .iter()
            .map(|param| module.locals.add(*param))
            .collect();
        let mut trap = FunctionBuilder::new(&mut module.types, &params, &results);
        trap.func_body().unreachable();
        module.funcs.get_mut(id).kind = FunctionKind::Local(trap.local_func(arguments));
    }
    erase_texts(&mut module);
    Ok(module)
}

fn is_panic(name: Option<&str>) -> bool {
    name.is_some_and(|name| PANICS.iter().any(|part| name.contains(part)))
}

/// What only messages of panics say. The compiler may write others, which then stay.
const TEXTS: [&[u8]; 11] = [
    b"\x16slice index starts at \xc0\r but ends at \xc0\0",
    b" index out of bounds: the len is \xc0\x12 but the index is \xc0\0",
    b"\x12range start index \xc0\" out of range for slice of length \xc0\0",
    b"\x10range end index \xc0\" out of range for slice of length \xc0\0",
    b"called `Result::unwrap()` on an `Err` value",
    b"\x14insertion index (is \xc0\x17) should be <= len (is \xc0\x01)\0",
    b"\x12removal index (is \xc0\x16) should be < len (is \xc0\x01)\0",
    b"\x16swap_remove index (is \xc0\x16) should be < len (is \xc0\x01)\0",
    b"overflow when multiplying duration by scalar",
    b"overflow when adding durations",
    b"capacity overflow",
];

/// Writes zeros over `TEXTS`, and over the places in the source that panics name. Zeros need no room in a module.
fn erase_texts(module: &mut Module) {
    let all: Vec<DataId> = module.data.iter().map(Data::id).collect();
    for id in all {
        let data = module.data.get_mut(id);
        let DataKind::Active {
            offset: ConstExpr::Value(Value::I32(base)),
            ..
        } = data.kind
        else {
            continue;
        };
        let bytes = &mut data.value;
        for text in TEXTS {
            while let Some(at) = find(bytes, text) {
                bytes[at..][..text.len()].fill(0);
            }
        }
        while let Some((at, len)) = find_path(bytes) {
            erase_locations(bytes, base as u32 + at as u32, len as u32);
            bytes[at..][..len].fill(0);
        }
    }
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

/// Where the path of a file of Rust is, which ends with a zero, and how long it is.
fn find_path(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = find(bytes, b".rs\0")? + 3;
    let is_path = |byte: &u8| byte.is_ascii_alphanumeric() || b"/_-.".contains(byte);
    let before = bytes[..end].iter().rev().take_while(|byte| is_path(byte));
    let run = &bytes[end - before.count()..end];
    // A text of another kind may stand right in front of it.
    let starts: [&[u8]; 3] = [b"/rustc/", b"core/src/", b"/"];
    let start = starts.iter().find_map(|start| find(run, start));
    let len = run.len() - start.unwrap_or_default();
    Some((end - len, len))
}

/// A `Location` is the address and the length of a path, a line and a column.
fn erase_locations(bytes: &mut [u8], path: u32, len: u32) {
    let head = [path.to_le_bytes(), len.to_le_bytes()].concat();
    while let Some(at) = find(bytes, &head) {
        let end = bytes.len().min(at + 16);
        bytes[at..end].fill(0);
    }
}
