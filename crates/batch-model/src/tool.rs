//! What a model may use: functions, searches, code, web pages.

use serde_json::{Map, Value};

use crate::{Float, List, Schema, open_enum::open_enum, retrieval::Retrieval, wire::wire_struct};

wire_struct! {
    /// Something that the model may use: one of these.
    ///
    /// An empty object (`{"codeExecution": {}}`) fails the import of a batch (likely still so in 2026);
    /// [`Tool::google_search`] and the like therefore write one that has a member.
    pub struct Tool {
        /// Functions of the user's own.
        function_declarations: List<FunctionDeclaration> = "functionDeclarations",
        /// Google Search.
        google_search: Option<GoogleSearch> = "googleSearch",
        /// Google Search for Gemini 1.5; deprecated.
        google_search_retrieval: Option<GoogleSearchRetrieval> = "googleSearchRetrieval",
        /// Google Maps.
        google_maps: Option<GoogleMaps> = "googleMaps",
        /// Google Search for enterprises.
        enterprise_web_search: Option<EnterpriseWebSearch> = "enterpriseWebSearch",
        /// Parallel's search.
        parallel_ai_search: Option<ParallelAiSearch> = "parallelAiSearch",
        /// Exa's search.
        exa_ai_search: Option<ExaAiSearch> = "exaAiSearch",
        /// A place to run code.
        code_execution: Option<CodeExecution> = "codeExecution",
        /// Web pages that the prompt names.
        url_context: Option<UrlContext> = "urlContext",
        /// A screen, a keyboard and a pointer.
        computer_use: Option<ComputerUse> = "computerUse",
        /// The user's own documents. RAG is not supported in a batch.
        retrieval: Option<Retrieval> = "retrieval",
    }

    /// A function that the model may ask to be called.
    pub struct FunctionDeclaration {
        /// Its name: letters, digits, `_`, `.` and `-`, 64 characters at most.
        name: Option<String> = "name",
        /// What it does; the model reads it.
        description: Option<String> = "description",
        /// What it takes.
        parameters: Option<Schema> = "parameters",
        /// The same as JSON Schema.
        parameters_json_schema: Option<Value> = "parametersJsonSchema",
        /// What it gives.
        response: Option<Schema> = "response",
        /// The same as JSON Schema.
        response_json_schema: Option<Value> = "responseJsonSchema",
        /// Whether the model waits for it.
        behavior: Option<FunctionBehavior> = "behavior",
    }

    /// Google Search.
    pub struct GoogleSearch {
        /// Domains that are left out.
        exclude_domains: List<String> = "excludeDomains",
        /// From which risk of phishing on a site is left out.
        blocking_confidence: Option<PhishBlockThreshold> = "blockingConfidence",
        /// What is searched.
        search_types: Option<SearchTypes> = "searchTypes",
    }

    /// What Google Search searches.
    pub struct SearchTypes {
        /// Web pages.
        web_search: Option<WebSearch> = "webSearch",
        /// Pictures.
        image_search: Option<ImageSearch> = "imageSearch",
    }

    /// Search of web pages. It has no members.
    pub struct WebSearch {}

    /// Search of pictures. It has no members.
    pub struct ImageSearch {}

    /// Google Search for Gemini 1.5; deprecated.
    pub struct GoogleSearchRetrieval {
        /// When it is searched.
        dynamic_retrieval_config: Option<DynamicRetrievalConfig> = "dynamicRetrievalConfig",
    }

    /// When it is searched.
    pub struct DynamicRetrievalConfig {
        /// Always, or as the model sees fit.
        mode: Option<DynamicRetrievalMode> = "mode",
        /// From which need on.
        dynamic_threshold: Option<Float> = "dynamicThreshold",
    }

    /// Google Maps.
    pub struct GoogleMaps {
        /// Whether a token for a map comes back; deprecated.
        enable_widget: Option<bool> = "enableWidget",
        /// What is looked up.
        grounding_types: Option<GoogleMapsGroundingTypes> = "groundingTypes",
    }

    /// What Google Maps looks up.
    pub struct GoogleMapsGroundingTypes {
        /// Places.
        places: Option<GoogleMapsPlaces> = "places",
        /// Routes.
        routing: Option<GoogleMapsRouting> = "routing",
    }

    /// Places of Google Maps. It has no members.
    pub struct GoogleMapsPlaces {}

    /// Routes of Google Maps. It has no members.
    pub struct GoogleMapsRouting {}

    /// Google Search for enterprises.
    pub struct EnterpriseWebSearch {
        /// Domains that are left out.
        exclude_domains: List<String> = "excludeDomains",
        /// From which risk of phishing on a site is left out.
        blocking_confidence: Option<PhishBlockThreshold> = "blockingConfidence",
    }

    /// Parallel's search.
    pub struct ParallelAiSearch {
        /// The user's key there. A secret: it comes back in the echo of the request.
        api_key: Option<String> = "apiKey",
        /// Settings of that service.
        custom_configs: Option<Map<String, Value>> = "customConfigs",
        /// Whether it keeps data; deprecated.
        enable_data_retention: Option<bool> = "enableDataRetention",
        /// Whether it keeps none.
        enable_zero_data_retention: Option<bool> = "enableZeroDataRetention",
    }

    /// Exa's search.
    pub struct ExaAiSearch {
        /// The user's key there. A secret: it comes back in the echo of the request.
        api_key: Option<String> = "apiKey",
        /// Settings of that service.
        custom_configs: Option<Map<String, Value>> = "customConfigs",
    }

    /// A place to run code. It has no members.
    pub struct CodeExecution {}

    /// Web pages that the prompt names. It has no members.
    pub struct UrlContext {}

    /// A screen, a keyboard and a pointer.
    pub struct ComputerUse {
        /// What kind of screen.
        environment: Option<ComputerEnvironment> = "environment",
        /// Actions that the model may not ask for.
        excluded_predefined_functions: List<String> = "excludedPredefinedFunctions",
        /// Whether a prompt hidden on the screen is looked for.
        enable_prompt_injection_detection: Option<bool> = "enablePromptInjectionDetection",
        /// Policies that are off.
        disabled_safety_policies: List<SafetyPolicy> = "disabledSafetyPolicies",
    }

    /// How a model may use its tools.
    pub struct ToolConfig {
        /// How it may ask for functions.
        function_calling_config: Option<FunctionCallingConfig> = "functionCallingConfig",
        /// For whom it searches.
        retrieval_config: Option<RetrievalConfig> = "retrievalConfig",
    }

    /// How a model may ask for functions.
    pub struct FunctionCallingConfig {
        /// Whether it may, or must.
        mode: Option<FunctionCallingMode> = "mode",
        /// The functions that it may ask for, where it must.
        allowed_function_names: List<String> = "allowedFunctionNames",
        /// Whether arguments arrive in pieces; streams only.
        stream_function_call_arguments: Option<bool> = "streamFunctionCallArguments",
    }

    /// For whom a model searches.
    pub struct RetrievalConfig {
        /// Where the user is.
        lat_lng: Option<LatLng> = "latLng",
        /// The user's language.
        language_code: Option<String> = "languageCode",
    }

    /// A place on the globe, in degrees.
    pub struct LatLng {
        /// From −90 to 90.
        latitude: Option<Float> = "latitude",
        /// From −180 to 180.
        longitude: Option<Float> = "longitude",
    }
}

open_enum! {
    /// From which risk of phishing on a site is left out.
    pub enum PhishBlockThreshold {
        /// Not said.
        Unspecified = "PHISH_BLOCK_THRESHOLD_UNSPECIFIED" = 0,
        /// Low and more.
        BlockLowAndAbove = "BLOCK_LOW_AND_ABOVE" = 30,
        /// Medium and more.
        BlockMediumAndAbove = "BLOCK_MEDIUM_AND_ABOVE" = 40,
        /// High and more.
        BlockHighAndAbove = "BLOCK_HIGH_AND_ABOVE" = 50,
        /// Higher and more.
        BlockHigherAndAbove = "BLOCK_HIGHER_AND_ABOVE" = 55,
        /// Very high and more.
        BlockVeryHighAndAbove = "BLOCK_VERY_HIGH_AND_ABOVE" = 60,
        /// Extremely high.
        BlockOnlyExtremelyHigh = "BLOCK_ONLY_EXTREMELY_HIGH" = 100,
    }

    /// When it is searched.
    pub enum DynamicRetrievalMode {
        /// Always.
        Unspecified = "MODE_UNSPECIFIED" = 0,
        /// As the model sees fit.
        Dynamic = "MODE_DYNAMIC" = 1,
    }

    /// Whether the model waits for a function.
    pub enum FunctionBehavior {
        /// Not said.
        Unspecified = "UNSPECIFIED",
        /// It does.
        Blocking = "BLOCKING",
        /// It does not.
        NonBlocking = "NON_BLOCKING",
    }

    /// Whether a model may ask for functions.
    pub enum FunctionCallingMode {
        /// Not said.
        Unspecified = "MODE_UNSPECIFIED" = 0,
        /// As it sees fit.
        Auto = "AUTO" = 1,
        /// It must.
        Any = "ANY" = 2,
        /// It may not.
        None = "NONE" = 3,
        /// As it sees fit, and calls are checked against the schema.
        Validated = "VALIDATED" = 5,
    }

    /// What kind of screen.
    pub enum ComputerEnvironment {
        /// Not said.
        Unspecified = "ENVIRONMENT_UNSPECIFIED" = 0,
        /// A browser's.
        Browser = "ENVIRONMENT_BROWSER" = 1,
        /// A telephone's.
        Mobile = "ENVIRONMENT_MOBILE",
        /// A computer's.
        Desktop = "ENVIRONMENT_DESKTOP",
    }

    /// What a model with a screen may not do unasked.
    pub enum SafetyPolicy {
        /// Not said.
        Unspecified = "SAFETY_POLICY_UNSPECIFIED",
        /// Move money.
        FinancialTransactions = "FINANCIAL_TRANSACTIONS",
        /// Change sensitive data.
        SensitiveDataModification = "SENSITIVE_DATA_MODIFICATION",
        /// Write to people.
        CommunicationTool = "COMMUNICATION_TOOL",
        /// Make accounts.
        AccountCreation = "ACCOUNT_CREATION",
        /// Change data.
        DataModification = "DATA_MODIFICATION",
        /// Consent in the user's name.
        UserConsentManagement = "USER_CONSENT_MANAGEMENT",
        /// Agree to terms.
        LegalTermsAndAgreements = "LEGAL_TERMS_AND_AGREEMENTS",
    }
}

impl Tool {
    /// Functions of the user's own.
    #[must_use]
    pub fn functions(declarations: impl IntoIterator<Item = FunctionDeclaration>) -> Self {
        Self { function_declarations: declarations.into_iter().collect(), ..Self::default() }
    }

    /// Google Search, written with an empty `excludeDomains`: an empty object would fail the import.
    #[must_use]
    pub fn google_search() -> Self {
        let search = GoogleSearch { exclude_domains: List::from([]), ..GoogleSearch::default() };
        Self { google_search: Some(search), ..Self::default() }
    }
}

impl FunctionDeclaration {
    /// A function by name, with what it does.
    #[must_use]
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        Self { name: Some(name.into()), description: Some(description.into()), ..Self::default() }
    }

    /// The same function, with what it takes.
    #[must_use]
    pub fn with_parameters(mut self, parameters: Schema) -> Self {
        self.parameters = Some(parameters);
        self
    }
}
