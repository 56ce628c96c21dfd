//! Pictures as this crate decodes them, for `tests/parity/pictures.py`: paths come in, a line each.
//!
//! For each a line of JSON goes out, `{"width", "height"}` with the RGB bytes and then those on white behind it, or
//! `{"refusal", "kind"}`.

use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;

use mmfnd_pictures::{Alpha, Picture, Refusal, read};

fn main() -> std::io::Result<()> {
    let mut out = stdout().lock();
    for path in stdin().lock().lines() {
        let picture = read(Path::new(&path?)).and_then(|bytes| Picture::decode(&bytes));
        match picture {
            Ok(picture) => write_picture(&mut out, &picture)?,
            Err(refusal) => write_refusal(&mut out, &refusal)?,
        }
        out.flush()?;
    }
    Ok(())
}

fn write_picture(out: &mut impl Write, picture: &Picture) -> std::io::Result<()> {
    let [opaque, on_white] = [Alpha::Ignored, Alpha::White].map(|alpha| picture.with(alpha));
    let (width, height) = (opaque.width, opaque.height);
    writeln!(out, r#"{{"width": {width}, "height": {height}}}"#)?;
    out.write_all(&opaque.data)?;
    out.write_all(&on_white.data)
}

fn write_refusal(out: &mut impl Write, refusal: &Refusal) -> std::io::Result<()> {
    let quoted = |text: &str| format!("{text:?}");
    let (reason, kind) = (quoted(&refusal.to_string()), quoted(refusal.kind()));
    writeln!(out, r#"{{"refusal": {reason}, "kind": {kind}}}"#)
}
