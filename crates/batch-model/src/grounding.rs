//! What an answer quotes, rests on and read.

use crate::{Float, List, open_enum::open_enum, wire::wire_struct};

wire_struct! {
    /// What an answer quotes. The Developer API calls the list `citationSources` (in `extra`).
    pub struct CitationMetadata {
        /// The quotations.
        citations: List<Citation> = "citations",
    }

    /// One quotation. Indices are bytes in the answer (likely), the end not included.
    pub struct Citation {
        /// Where it begins; left out where 0.
        start_index: Option<i64> = "startIndex",
        /// Where it ends.
        end_index: Option<i64> = "endIndex",
        /// Where it is from.
        uri: Option<String> = "uri",
        /// The title there.
        title: Option<String> = "title",
        /// The licence there.
        license: Option<String> = "license",
        /// When it was published there.
        publication_date: Option<Date> = "publicationDate",
    }

    /// A day; parts that are 0 or absent are not known.
    pub struct Date {
        /// The year.
        year: Option<i64> = "year",
        /// The month, from 1.
        month: Option<i64> = "month",
        /// The day, from 1.
        day: Option<i64> = "day",
    }

    /// What an answer rests on.
    pub struct GroundingMetadata {
        /// The sources.
        grounding_chunks: List<GroundingChunk> = "groundingChunks",
        /// Which sentence rests on which source.
        grounding_supports: List<GroundingSupport> = "groundingSupports",
        /// What the web was asked.
        web_search_queries: List<String> = "webSearchQueries",
        /// What pictures were asked for.
        image_search_queries: List<String> = "imageSearchQueries",
        /// What the user's own documents were asked.
        retrieval_queries: List<String> = "retrievalQueries",
        /// Google's own way to the search, which its terms ask to be shown.
        search_entry_point: Option<SearchEntryPoint> = "searchEntryPoint",
        /// How much a search was needed.
        retrieval_metadata: Option<RetrievalMetadata> = "retrievalMetadata",
        /// Where bad reviews can be reported.
        source_flagging_uris: List<SourceFlaggingUri> = "sourceFlaggingUris",
        /// Deprecated: a token for a map.
        google_maps_widget_context_token: Option<String> = "googleMapsWidgetContextToken",
    }

    /// One source: one of these.
    pub struct GroundingChunk {
        /// A web page.
        web: Option<WebChunk> = "web",
        /// A picture.
        image: Option<ImageChunk> = "image",
        /// Something on a map.
        maps: Option<MapsChunk> = "maps",
        /// One of the user's own documents.
        retrieved_context: Option<RetrievedContextChunk> = "retrievedContext",
    }

    /// A web page.
    pub struct WebChunk {
        /// Its address, by way of Google.
        uri: Option<String> = "uri",
        /// Its title.
        title: Option<String> = "title",
        /// Its domain.
        domain: Option<String> = "domain",
    }

    /// A picture.
    pub struct ImageChunk {
        /// The page it is on.
        source_uri: Option<String> = "sourceUri",
        /// Its own address.
        image_uri: Option<String> = "imageUri",
        /// The page's title.
        title: Option<String> = "title",
        /// The page's domain.
        domain: Option<String> = "domain",
    }

    /// Something on a map.
    pub struct MapsChunk {
        /// Its address there.
        uri: Option<String> = "uri",
        /// Its name.
        title: Option<String> = "title",
        /// What is said about it.
        text: Option<String> = "text",
        /// `places/*`.
        place_id: Option<String> = "placeId",
        /// What people say about it.
        place_answer_sources: Option<PlaceAnswerSources> = "placeAnswerSources",
        /// A way there.
        route: Option<MapsRoute> = "route",
    }

    /// What people say about a place.
    pub struct PlaceAnswerSources {
        /// Their reviews.
        review_snippets: List<ReviewSnippet> = "reviewSnippets",
    }

    /// A review.
    pub struct ReviewSnippet {
        /// Its name.
        review_id: Option<String> = "reviewId",
        /// Its address.
        google_maps_uri: Option<String> = "googleMapsUri",
        /// Its title.
        title: Option<String> = "title",
    }

    /// A way to a place.
    pub struct MapsRoute {
        /// How long, in metres.
        distance_meters: Option<i64> = "distanceMeters",
        /// How long, in time: `600s`.
        duration: Option<String> = "duration",
        /// The line on the map, encoded.
        encoded_polyline: Option<String> = "encodedPolyline",
    }

    /// One of the user's own documents.
    pub struct RetrievedContextChunk {
        /// Its address.
        uri: Option<String> = "uri",
        /// Its title.
        title: Option<String> = "title",
        /// The text that was found.
        text: Option<String> = "text",
        /// Its resource name.
        document_name: Option<String> = "documentName",
        /// The chunk of a corpus.
        rag_chunk: Option<RagChunk> = "ragChunk",
    }

    /// A chunk of a corpus.
    pub struct RagChunk {
        /// Its name.
        chunk_id: Option<String> = "chunkId",
        /// Its file.
        file_id: Option<String> = "fileId",
        /// Its text.
        text: Option<String> = "text",
        /// Its pages.
        page_span: Option<PageSpan> = "pageSpan",
    }

    /// Pages of a file, from 1.
    pub struct PageSpan {
        /// The first.
        first_page: Option<i64> = "firstPage",
        /// The last, included.
        last_page: Option<i64> = "lastPage",
    }

    /// Which piece of an answer rests on which sources.
    pub struct GroundingSupport {
        /// The piece.
        segment: Option<Segment> = "segment",
        /// The sources, by their index in `grounding_chunks`.
        grounding_chunk_indices: List<i64> = "groundingChunkIndices",
        /// How sure, for each of them, from 0 to 1; none since Gemini 2.5.
        confidence_scores: List<Float> = "confidenceScores",
        /// The parts that this covers.
        rendered_parts: List<i64> = "renderedParts",
    }

    /// A piece of an answer. Indices are bytes, the end not included.
    pub struct Segment {
        /// Its part; left out where 0.
        part_index: Option<i64> = "partIndex",
        /// Where it begins; left out where 0.
        start_index: Option<i64> = "startIndex",
        /// Where it ends.
        end_index: Option<i64> = "endIndex",
        /// Its text.
        text: Option<String> = "text",
    }

    /// How much a search was needed.
    pub struct RetrievalMetadata {
        /// From 0 to 1.
        google_search_dynamic_retrieval_score: Option<Float> = "googleSearchDynamicRetrievalScore",
    }

    /// Google's own way to the search.
    pub struct SearchEntryPoint {
        /// HTML to be shown.
        rendered_content: Option<String> = "renderedContent",
        /// The same as data, in base64.
        sdk_blob: Option<String> = "sdkBlob",
    }

    /// Where a bad review can be reported.
    pub struct SourceFlaggingUri {
        /// The review.
        source_id: Option<String> = "sourceId",
        /// The address.
        flag_content_uri: Option<String> = "flagContentUri",
    }

    /// The web pages that were read.
    pub struct UrlContextMetadata {
        /// One by one.
        url_metadata: List<UrlMetadata> = "urlMetadata",
    }

    /// A web page that was read.
    pub struct UrlMetadata {
        /// Its address.
        retrieved_url: Option<String> = "retrievedUrl",
        /// Whether it could be read.
        url_retrieval_status: Option<UrlRetrievalStatus> = "urlRetrievalStatus",
    }
}

open_enum! {
    /// Whether a web page could be read.
    pub enum UrlRetrievalStatus {
        /// Not said.
        Unspecified = "URL_RETRIEVAL_STATUS_UNSPECIFIED" = 0,
        /// It could.
        Success = "URL_RETRIEVAL_STATUS_SUCCESS" = 1,
        /// It could not.
        Error = "URL_RETRIEVAL_STATUS_ERROR" = 2,
    }
}
