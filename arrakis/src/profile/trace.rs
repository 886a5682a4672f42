//! The profile as a Chrome trace, for `chrome://tracing` and Perfetto.

use serde_json::{Value, json};

use super::costs::Profile;

impl Profile {
    /// Complete events (`"ph": "X"`) of the Trace Event Format, times in microseconds.
    ///
    /// Only a freshly measured profile has events; a saved one has its trace in a file next to it.
    pub fn to_chrome_trace(&self) -> String {
        let events: Vec<Value> = self
            .spans
            .iter()
            .map(|span| {
                let (start, duration) = (span.start.as_secs_f64() * 1e6, span.duration.as_secs_f64() * 1e6);
                json!({"name": span.path, "cat": "scope", "ph": "X", "ts": start, "dur": duration, "pid": 1, "tid": span.thread})
            })
            .collect();
        json!({"traceEvents": events, "displayTimeUnit": "ms"}).to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::costs::Span;
    use super::*;

    #[test]
    fn every_span_is_one_complete_event() {
        let span = Span {
            path: "blocks.0".into(),
            start: Duration::from_micros(3),
            duration: Duration::from_micros(5),
            thread: 2,
        };
        let profile = Profile { spans: vec![span], ..Profile::default() };
        let trace: Value = serde_json::from_str(&profile.to_chrome_trace()).unwrap();
        let event = &trace["traceEvents"][0];
        assert_eq!((event["name"].as_str(), event["ph"].as_str()), (Some("blocks.0"), Some("X")));
        assert_eq!(event["tid"], 2);
        assert_eq!((event["ts"].as_f64(), event["dur"].as_f64()), (Some(3.0), Some(5.0)));
    }
}
