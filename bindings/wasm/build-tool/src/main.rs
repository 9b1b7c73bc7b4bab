//! The steps of building the npm package that need a library:
//!
//! - `tenure-wasm-build link <compiled.wasm> <directory>` writes `tenure_bg.wasm` and the types of its exports there;
//! - `tenure-wasm-build deflate <file> <target>` compresses, slowly and as well as deflate can.

mod panics;

use std::ffi::OsString;
use std::fs::{self, File};

use anyhow::{Context as _, Result, bail};
use wasm_bindgen_cli_support::Bindgen;
use zopfli::{Format, Options, compress};

fn main() -> Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [step, from, to] = arguments.as_slice() else {
        bail!("usage: tenure-wasm-build link|deflate <from> <to>");
    };
    match step.to_str() {
        Some("link") => Bindgen::new()
            .input_module("tenure", panics::without_messages(from)?)
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
