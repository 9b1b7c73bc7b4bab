//! Any text as the URL of a server.

use tenure::Servers;

/// # Panics
/// If an error shows what stands before the `@`, where passwords are.
pub fn url(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Err(error) = Servers::single(&*text).check() else {
        return;
    };
    let shown = format!("{error} {error:?}");
    let Some((before, after)) = text.rsplit_once('@') else {
        return;
    };
    let Some((_, password)) = before.rsplit_once(':') else {
        return;
    };
    // A short one may be there by chance, and one that looks like a scheme is there anyway.
    let is_secret = !after.contains(password);
    if is_secret && password.len() >= 8 && password.bytes().all(|byte| byte.is_ascii_digit()) {
        assert!(!shown.contains(password), "{shown}");
    }
}
