//! A tool that looks into the user's own documents. RAG is not supported in a batch.

use crate::{Float, List, open_enum::open_enum, wire::wire_struct};

wire_struct! {
    /// The user's own documents, to be looked into by the model: one of these.
    pub struct Retrieval {
        /// A search app of Vertex AI Search.
        vertex_ai_search: Option<VertexAiSearch> = "vertexAiSearch",
        /// A corpus of the RAG engine. Not supported in a batch.
        vertex_rag_store: Option<VertexRagStore> = "vertexRagStore",
        /// A search service of the user's own.
        external_api: Option<ExternalApi> = "externalApi",
        /// Deprecated, and without effect.
        disable_attribution: Option<bool> = "disableAttribution",
    }

    /// A search app, or a data store, of Vertex AI Search.
    pub struct VertexAiSearch {
        /// `projects/*/locations/*/collections/*/dataStores/*`.
        datastore: Option<String> = "datastore",
        /// `projects/*/locations/*/collections/*/engines/*`.
        engine: Option<String> = "engine",
        /// Which of an engine's data stores.
        data_store_specs: List<DataStoreSpec> = "dataStoreSpecs",
        /// Which documents.
        filter: Option<String> = "filter",
        /// How many results, 10 at most.
        max_results: Option<i32> = "maxResults",
    }

    /// One data store of an engine.
    pub struct DataStoreSpec {
        /// Its name.
        data_store: Option<String> = "dataStore",
        /// Which documents.
        filter: Option<String> = "filter",
    }

    /// Corpora of the RAG engine.
    pub struct VertexRagStore {
        /// The corpora and files.
        rag_resources: List<RagResource> = "ragResources",
        /// How they are searched.
        rag_retrieval_config: Option<RagRetrievalConfig> = "ragRetrievalConfig",
        /// Deprecated: how many results.
        similarity_top_k: Option<i32> = "similarityTopK",
        /// Deprecated: how far away at most.
        vector_distance_threshold: Option<Float> = "vectorDistanceThreshold",
    }

    /// A corpus, or files of one.
    pub struct RagResource {
        /// `projects/*/locations/*/ragCorpora/*`.
        rag_corpus: Option<String> = "ragCorpus",
        /// Files of it; all where absent.
        rag_file_ids: List<String> = "ragFileIds",
    }

    /// How corpora are searched.
    pub struct RagRetrievalConfig {
        /// How many results.
        top_k: Option<i32> = "topK",
        /// Which.
        filter: Option<RagFilter> = "filter",
        /// In which order.
        ranking: Option<RagRanking> = "ranking",
    }

    /// Which results of a corpus are taken.
    pub struct RagFilter {
        /// Those with this metadata.
        metadata_filter: Option<String> = "metadataFilter",
        /// Those not farther away.
        vector_distance_threshold: Option<Float> = "vectorDistanceThreshold",
        /// Those at least as similar.
        vector_similarity_threshold: Option<Float> = "vectorSimilarityThreshold",
    }

    /// Who ranks the results of a corpus.
    pub struct RagRanking {
        /// A model.
        llm_ranker: Option<Ranker> = "llmRanker",
        /// The ranking service.
        rank_service: Option<Ranker> = "rankService",
    }

    /// A ranker.
    pub struct Ranker {
        /// Its model.
        model_name: Option<String> = "modelName",
    }

    /// A search service of the user's own.
    pub struct ExternalApi {
        /// What it speaks.
        api_spec: Option<ApiSpec> = "apiSpec",
        /// Its address.
        endpoint: Option<String> = "endpoint",
        /// How one logs in.
        auth_config: Option<AuthConfig> = "authConfig",
        /// Deprecated: how one logs in.
        api_auth: Option<ApiAuth> = "apiAuth",
        /// For Elasticsearch.
        elastic_search_params: Option<ElasticSearchParams> = "elasticSearchParams",
        /// For the simple kind.
        simple_search_params: Option<SimpleSearchParams> = "simpleSearchParams",
    }

    /// What Elasticsearch is asked.
    pub struct ElasticSearchParams {
        /// The index.
        index: Option<String> = "index",
        /// The search template.
        search_template: Option<String> = "searchTemplate",
        /// How many hits.
        num_hits: Option<i32> = "numHits",
    }

    /// What the simple kind is asked. It has no members.
    pub struct SimpleSearchParams {}

    /// Deprecated: how one logs in.
    pub struct ApiAuth {
        /// With a key.
        api_key_config: Option<ApiAuthKey> = "apiKeyConfig",
    }

    /// Deprecated: a key.
    pub struct ApiAuthKey {
        /// Its version in Secret Manager.
        api_key_secret_version: Option<String> = "apiKeySecretVersion",
        /// The key itself: a secret.
        api_key_string: Option<String> = "apiKeyString",
    }

    /// How one logs in. What is secret comes back in the echo of the request.
    pub struct AuthConfig {
        /// In which way.
        auth_type: Option<AuthType> = "authType",
        /// With a key.
        api_key_config: Option<ApiKeyConfig> = "apiKeyConfig",
        /// With a name and a password.
        http_basic_auth_config: Option<HttpBasicAuthConfig> = "httpBasicAuthConfig",
        /// As a service account.
        google_service_account_config: Option<ServiceAccountConfig> = "googleServiceAccountConfig",
        /// With OAuth.
        oauth_config: Option<OauthConfig> = "oauthConfig",
        /// With OpenID Connect.
        oidc_config: Option<OidcConfig> = "oidcConfig",
    }

    /// A key, and where it stands in the request.
    pub struct ApiKeyConfig {
        /// The parameter's name.
        name: Option<String> = "name",
        /// Its version in Secret Manager.
        api_key_secret: Option<String> = "apiKeySecret",
        /// The key itself: a secret.
        api_key_string: Option<String> = "apiKeyString",
        /// Where it stands.
        http_element_location: Option<HttpElementLocation> = "httpElementLocation",
    }

    /// A name and a password.
    pub struct HttpBasicAuthConfig {
        /// Their version in Secret Manager.
        credential_secret: Option<String> = "credentialSecret",
    }

    /// A service account.
    pub struct ServiceAccountConfig {
        /// Its address.
        service_account: Option<String> = "serviceAccount",
    }

    /// OAuth.
    pub struct OauthConfig {
        /// A token: a secret.
        access_token: Option<String> = "accessToken",
        /// The service account that makes one.
        service_account: Option<String> = "serviceAccount",
    }

    /// OpenID Connect.
    pub struct OidcConfig {
        /// A token: a secret.
        id_token: Option<String> = "idToken",
        /// The service account that makes one.
        service_account: Option<String> = "serviceAccount",
    }
}

open_enum! {
    /// What a search service speaks.
    pub enum ApiSpec {
        /// Not said.
        Unspecified = "API_SPEC_UNSPECIFIED",
        /// The simple kind.
        SimpleSearch = "SIMPLE_SEARCH",
        /// Elasticsearch.
        ElasticSearch = "ELASTIC_SEARCH",
    }

    /// How one logs in.
    pub enum AuthType {
        /// Not said.
        Unspecified = "AUTH_TYPE_UNSPECIFIED" = 0,
        /// Not at all.
        NoAuth = "NO_AUTH" = 1,
        /// With a key.
        ApiKey = "API_KEY_AUTH" = 2,
        /// With a name and a password.
        HttpBasic = "HTTP_BASIC_AUTH" = 3,
        /// As a service account.
        GoogleServiceAccount = "GOOGLE_SERVICE_ACCOUNT_AUTH" = 4,
        /// With OAuth.
        Oauth = "OAUTH" = 6,
        /// With OpenID Connect.
        Oidc = "OIDC_AUTH" = 8,
    }

    /// Where a key stands in a request.
    pub enum HttpElementLocation {
        /// Not said.
        Unspecified = "HTTP_IN_UNSPECIFIED" = 0,
        /// In the query.
        Query = "HTTP_IN_QUERY" = 1,
        /// In a header.
        Header = "HTTP_IN_HEADER" = 2,
        /// In the path.
        Path = "HTTP_IN_PATH" = 3,
        /// In the body.
        Body = "HTTP_IN_BODY" = 4,
        /// In a cookie.
        Cookie = "HTTP_IN_COOKIE" = 5,
    }
}
