/** The absolute path of a development tool's JavaScript entry. */
export declare function toolPath(tool: string): string;
