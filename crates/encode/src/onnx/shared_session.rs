//! Running one ONNX Runtime session from several threads at once.

use std::ffi::{CString, c_char};
use std::ptr::{self, NonNull};

use ort::AsPointer;
use ort::session::Session;
use ort::value::DynValue;

/// Runs a session and returns some of its outputs.
///
/// ONNX Runtime documents `Run` as safe to call from many threads, and that holds for the CPU provider (the memory
/// patterns that it would share are off); for others, and for sessions with operators of ours, one thread at a time has
/// to call this. `ort` asks for `&mut Session` because of those others, so the C interface is called here.
pub(crate) fn run(
    session: &Session,
    inputs: &[(&str, DynValue)],
    outputs: &[&str],
) -> ort::Result<Vec<DynValue>> {
    let c_string =
        |name: &str| CString::new(name).map_err(|error| ort::Error::new(error.to_string()));
    let names: Vec<CString> = inputs
        .iter()
        .map(|(name, _)| c_string(name))
        .collect::<Result<_, _>>()?;
    let names: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let values: Vec<*const ort::sys::OrtValue> = inputs.iter().map(|(_, v)| v.ptr()).collect();
    let outputs: Vec<CString> = (outputs.iter())
        .map(|name| c_string(name))
        .collect::<Result<_, _>>()?;
    let output_names: Vec<*const c_char> = outputs.iter().map(|name| name.as_ptr()).collect();
    let mut found: Vec<*mut ort::sys::OrtValue> = vec![ptr::null_mut(); outputs.len()];
    // SAFETY: names and values are as many as is said and outlive the call, null means default options, `found` is
    // valid to write to and then owned by the values made of it, whose allocator is the session's own.
    unsafe {
        let status = (ort::api().Run)(
            session.ptr().cast_mut(),
            ptr::null(),
            names.as_ptr(),
            values.as_ptr(),
            values.len(),
            output_names.as_ptr(),
            output_names.len(),
            found.as_mut_ptr(),
        );
        ort::Error::result_from_status(status)?;
        let value = |found: *mut ort::sys::OrtValue| {
            let found = NonNull::new(found).ok_or_else(|| ort::Error::new("no output came back"));
            found.map(|found| DynValue::from_ptr(found, Some(session.allocator())))
        };
        found.into_iter().map(value).collect()
    }
}
