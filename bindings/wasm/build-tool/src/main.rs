//! The steps of building the npm package that need a library:
//!
//! - `tenure-wasm-build link <compiled.wasm> <directory>` writes `tenure_bg.wasm` and the types of its exports there;
//! - `tenure-wasm-build deflate <file> <target>` compresses, slowly and as well as deflate can.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};

use anyhow::{Context as _, Result, bail, ensure};
use walrus::{FunctionBuilder, FunctionId, FunctionKind, Module};
use wasm_bindgen_cli_support::Bindgen;
use zopfli::{Format, Options, compress};

fn main() -> Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [step, from, to] = arguments.as_slice() else {
        bail!("usage: tenure-wasm-build link|deflate <from> <to>");
    };
    match step.to_str() {
        Some("link") => Bindgen::new()
            .input_module("tenure", without_panics(from)?)
            .web(true)?
            .typescript(true)
            .omit_default_module_path(true)
            .remove_name_section(true)
            .remove_producers_section(true)
            .generate(to),
        Some("deflate") => {
            let bytes = fs::read(from).with_context(|| from.display().to_string())?;
            compress(
                Options::default(),
                Format::Zlib,
                bytes.as_slice(),
                File::create(to)?,
            )?;
            Ok(())
        }
        _ => bail!("there is no such step: {}", step.display()),
    }
}

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

/// The module in which these trap at once. Their messages are for nobody: the panic handler traps without a look at them, but
/// the compiled standard library makes them all the same.
fn without_panics(file: &OsStr) -> Result<Module> {
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
    Ok(module)
}

fn is_panic(name: Option<&str>) -> bool {
    name.is_some_and(|name| PANICS.iter().any(|part| name.contains(part)))
}
