//! Ctrl-C: before the program ends it says how to go on.

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::show::note::note;

/// Waits for an interruption beside the work. The program then ends by the signal, as it would have without this.
pub(crate) fn say_how_to_go_on(how: &'static str) {
    let Ok(mut signals) = Signals::new([SIGINT]) else {
        return; // then an interruption ends the program without a word
    };
    std::thread::spawn(move || {
        for signal in signals.forever() {
            note(format_args!("\ninterrupted; {how}"));
            let _ = emulate_default_handler(signal);
        }
    });
}
