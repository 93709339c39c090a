//! Rules about the job: its model, its location, its size.

use super::{RuleExample, request, rules};

const HI: RuleExample = request!(r#""contents":[{"role":"user","parts":[{"text":"Hi"}]}]"#);

rules! { TABLE:
    MODEL_RETIRED = "B601" "model-retired", Error, Certain, {
        summary: "a model that is no longer served",
        why: "The service refuses the job: the model is not found.",
        help: "choose a model of a later generation",
        bad: HI.for_model("gemini-2.0-flash"),
        good: HI.for_model("gemini-3.8-flash"),
    }
    MODEL_RETIRING = "B602" "model-retiring", Warning, Certain, {
        summary: "a model that may be retired by now",
        why: "The day before which Google promised to keep it is over; a job that waits in the queue may outlive it.",
        help: "see the model's page, or choose one of a later generation",
        bad: HI.for_model("gemini-2.5-flash"),
        good: HI.for_model("gemini-3.8-flash"),
    }
    MODEL_UNKNOWN = "B603" "model-unknown", Warning, Likely, {
        summary: "a model that is not in the list",
        why: "It may be newer than the list, or misspelt: then the service refuses the job.",
        help: "check the spelling",
        bad: HI.for_model("gemini-3.8-flahs"),
        good: HI.for_model("gemini-3.8-flash"),
    }
    MODEL_NOT_FOR_BATCH = "B604" "model-not-for-batch", Error, Certain, {
        summary: "a model that batches do not take",
        why: "The service refuses the job.",
        help: "choose a model that batches take, or send the requests online",
        bad: RuleExample::none(),
        good: RuleExample::none(),
    }
    MODEL_NOT_HERE = "B605" "model-not-here", Error, Certain, {
        summary: "a model that the job's location does not serve",
        why: "The service refuses the job: the model is not found.",
        help: "choose another location",
        bad: HI.for_model("gemini-3.5-flash-lite").in_location("us-central1"),
        good: HI.for_model("gemini-3.5-flash-lite").in_location("global"),
    }
    TOO_MANY_REQUESTS = "B611" "too-many-requests", Error, Certain, {
        summary: "more than 200,000 requests in one job",
        why: "It is the documented limit of a job.",
        help: "split the input into several jobs",
        bad: RuleExample::none(),
        good: RuleExample::none(),
    }
    FILE_TOO_LARGE = "B612" "file-too-large", Warning, Certain, {
        summary: "a file of more than 1 GB",
        why: "It is the documented limit of an input file. It was not always enforced, but large jobs fail more often.",
        help: "split the file, and refer to media by fileData",
        bad: RuleExample::none(),
        good: RuleExample::none(),
    }
    NO_LINES = "B613" "no-lines", Error, Likely, {
        summary: "an input without a single request",
        why: "The import has nothing to load, and the job fails.",
        help: "check what wrote the file",
        bad: RuleExample::none(),
        good: RuleExample::none(),
    }
}
