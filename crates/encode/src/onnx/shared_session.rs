//! Running one ONNX Runtime session from several threads at once.

use std::ffi::{CString, c_char};
use std::ptr::{self, NonNull};

use ort::AsPointer;
use ort::session::Session;
use ort::value::DynValue;

/// Runs a session and returns one of its outputs.
///
/// ONNX Runtime documents `Run` as safe to call from many threads, and that holds for the CPU provider (the memory
/// patterns that it would share are off); for others, and for sessions with operators of ours, one thread at a time has
/// to call this. `ort` asks for `&mut Session` because of those others, so the C interface is called here.
pub(crate) fn run(
    session: &Session,
    inputs: &[(&str, DynValue)],
    output: &str,
) -> ort::Result<DynValue> {
    let c_string =
        |name: &str| CString::new(name).map_err(|error| ort::Error::new(error.to_string()));
    let names: Vec<CString> = inputs
        .iter()
        .map(|(name, _)| c_string(name))
        .collect::<Result<_, _>>()?;
    let names: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let values: Vec<*const ort::sys::OrtValue> = inputs.iter().map(|(_, v)| v.ptr()).collect();
    let output = c_string(output)?;
    let mut found: *mut ort::sys::OrtValue = ptr::null_mut();
    // SAFETY: names and values are as many as is said and outlive the call, null means default options, `found` is
    // valid to write to and then owned by the value made of it, whose allocator is the session's own.
    unsafe {
        let status = (ort::api().Run)(
            session.ptr().cast_mut(),
            ptr::null(),
            names.as_ptr(),
            values.as_ptr(),
            values.len(),
            &output.as_ptr(),
            1,
            &mut found,
        );
        ort::Error::result_from_status(status)?;
        let found = NonNull::new(found).ok_or_else(|| ort::Error::new("no output came back"))?;
        Ok(DynValue::from_ptr(found, Some(session.allocator())))
    }
}
