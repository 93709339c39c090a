//! Shards that are worked on at once, and what the others do where one fails.

use futures::{StreamExt, stream};

use crate::{Context, Result};

/// Does `each` for all of so many shards, `most` of them at once: what came of those that did not fail, and the first
/// failure.
///
/// Where one fails, the others are asked to stop, and heard to their end: none begins anything more, and of a call
/// that is under way the answer is heard. A job that it creates is known then, and what it is denied is no intent any
/// more.
pub(crate) async fn at_once<T, F: Future<Output = Result<T>>>(
    shards: usize,
    most: usize,
    context: &Context,
    each: impl Fn(usize, Context) -> F,
) -> (Vec<T>, Result<()>) {
    let (stopper, stop) = context.stop.part();
    let within = Context { stop, ..context.clone() };
    let mut working = stream::iter((0..shards).map(|shard| each(shard, within.clone()))).buffer_unordered(most.max(1));
    let (mut done, mut ended) = (Vec::new(), Ok(()));
    while let Some(one) = working.next().await {
        match one {
            Ok(one) => done.push(one),
            Err(error) => {
                stopper.stop();
                // What the others tell after it is that they were asked to stop.
                ended = ended.and(Err(error));
            }
        }
    }
    (done, ended)
}
