//! `tenure-wasm-build <compiled.wasm> <directory>`: writes `tenure_bg.wasm` and `tenure.js` there.

use anyhow::{Context as _, Result};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let mut next = || arguments.next().context("usage: tenure-wasm-build <compiled.wasm> <directory>");
    let (input, directory) = (next()?, next()?);
    Bindgen::new()
        .input_path(input)
        .out_name("tenure")
        .web(true)?
        .typescript(true)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(directory)
}
