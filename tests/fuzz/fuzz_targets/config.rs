//! Fuzzes the reader of `config.json`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    arrakis_fuzz::config(bytes);
});
