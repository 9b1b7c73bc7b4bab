#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tenure_tests::fuzz_targets::world(bytes));
