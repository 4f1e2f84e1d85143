/** The root of the repository, absolute. */
export declare const repository: string;
export declare function ensureInstalled(): void;
export declare function ensureSystemPrograms(): void;
