//! Conditions: any text is one or is refused, in bounded time, with a place inside it; what is
//! one says what was written, and is one again.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use portcullis::policy::{Condition, MAX_CONDITION};

fuzz_target!(
    init: {
        // The parser's own panics are refusals: they happen on a thread of its own, where they
        // end nothing. Those of the target and of the gateway are mistakes.
        let abort = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map_or("", |it| it.file());
            if !place.contains("/cel-") && !place.contains("/antlr4rust-") {
                abort(panic);
            }
        }));
    },
    |data: &[u8]| -> Corpus {
        let Ok(text) = std::str::from_utf8(data) else {
            return Corpus::Reject;
        };
        match Condition::compile(text) {
            Ok(condition) => {
                assert!(text.len() <= MAX_CONDITION);
                assert_eq!(condition.to_string(), text);
                assert_eq!(Condition::compile(text), Ok(condition));
                assert_ne!(Condition::compile(text), Ok(Condition::broken(text)));
            }
            Err(error) => {
                let line = error.line as usize;
                assert!((1..=text.matches('\n').count() + 1).contains(&line), "{error}");
                assert!(error.column >= 1, "{error}");
                assert!(!error.message.is_empty());
            }
        }
        Corpus::Keep
    }
);
