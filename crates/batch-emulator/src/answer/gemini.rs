//! Answers of a server that speaks `generateContent`.

use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::Url;

use super::server::{AnswerOptions, Connection, KeyHeader, ModelServer, name};
use super::{Answerer, Question, Reply, RowError};
use crate::Error;
use crate::json::{Json, Tree, View, write_plain, write_text};

/// Passes requests on whole, and responses back whole.
#[derive(Debug)]
pub(super) struct Gemini {
    server: ModelServer,
    connection: Connection,
    paths: Paths,
}

/// Where a server has its models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paths {
    /// `…/models/M:generateContent`, as the Gemini Developer API.
    Developer,
    /// `…/publishers/google/models/M:generateContent`, as Vertex AI.
    Vertex,
}

impl Gemini {
    pub(super) fn open(server: &ModelServer, options: &AnswerOptions) -> Result<Gemini, Error> {
        let path = Url::parse(server.url()).map(|url| url.path().to_owned()).unwrap_or_default();
        let vertex = path.contains("/projects/") || path.contains("/publishers/");
        let (paths, key) = match vertex {
            true => (Paths::Vertex, KeyHeader::Bearer),
            false => (Paths::Developer, KeyHeader::Google),
        };
        Ok(Gemini { server: server.clone(), connection: Connection::new(server, options, key)?, paths })
    }

    fn endpoint(&self, model: &str) -> Option<Url> {
        let method = format!("{}:generateContent", self.server.model().unwrap_or(model));
        let path = Url::parse(self.server.url()).ok()?.path().to_owned();
        self.server.endpoint(&match self.paths {
            // A host alone: the version that the API's documentation uses.
            Paths::Developer if path == "/" => vec!["v1beta", "models", &method],
            Paths::Developer => vec!["models", &method],
            Paths::Vertex if path.contains("/publishers/") => vec!["models", &method],
            Paths::Vertex => vec!["publishers", "google", "models", &method],
        })
    }

    async fn ask(&self, question: &Question<'_>) -> Result<Vec<u8>, RowError> {
        let url = self
            .endpoint(question.model)
            .ok_or_else(|| RowError::invalid("The address of the model server takes no path."))?;
        let mut body = Vec::new();
        write_request(question.request, self.paths, &mut body);
        let reply = self.connection.post(&url, body, question.hash as u64).await?;
        let text = std::str::from_utf8(&reply).map_err(|error| error.to_string());
        let tree = text.and_then(|text| Tree::parse(text).map_err(|error| error.to_string()));
        let wrong = |what: String| RowError {
            code: 500,
            message: format!("{} sent no GenerateContentResponse: {what}", name(&url)),
        };
        let tree = tree.map_err(wrong)?;
        if !matches!(tree.root().view(), View::Object(_)) {
            return Err(wrong("it is no JSON object".to_owned()));
        }
        // Compact: a prediction is one line, and servers like to indent.
        let mut response = Vec::with_capacity(reply.len());
        write_plain(tree.root(), &mut response);
        Ok(response)
    }
}

impl Answerer for Gemini {
    fn answer<'a>(&'a self, question: &'a Question<'a>) -> BoxFuture<'a, Reply> {
        self.ask(question).map(Reply::from).boxed()
    }

    fn concurrency(&self) -> usize {
        self.connection.concurrency()
    }
}

/// Writes the request as it is, without `model`, which stands in the path, and for the
/// Developer API without `labels`, which it has not.
fn write_request(request: Json<'_>, paths: Paths, out: &mut Vec<u8>) {
    let View::Object(members) = request.view() else {
        return write_plain(request, out);
    };
    out.push(b'{');
    let mut first = true;
    for (name, value) in members {
        if name == "model" || (name == "labels" && paths == Paths::Developer) {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        write_text(name, out);
        out.push(b':');
        write_plain(value, out);
    }
    out.push(b'}');
}
