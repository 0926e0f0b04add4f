// Constants that build.mjs sets.

declare const LITERT_VERSION: string;
