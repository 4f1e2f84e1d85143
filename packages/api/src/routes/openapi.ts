/** The OpenAPI 3.1 document of the route table. */
import { z } from 'zod';
import { problemResponse } from '../schema/problems.ts';
import { ROUTES } from './route-table.ts';
import type { Route } from './route-table.ts';

type Document = Readonly<Record<string, unknown>>;

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Document {
  return z.toJSONSchema(schema, { io, unrepresentable: 'any' });
}

export function openApiDocument(version: string): Document {
  const paths: Record<string, Record<string, Document>> = {};
  for (const [name, route] of Object.entries<Route>(ROUTES)) {
    (paths[`/api/v1${route.path}`] ??= {})[route.method] = operationOf(name, route);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'CCDash', version },
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: schemaOf(problemResponse, 'output') },
    },
    paths,
  };
}

function operationOf(name: string, route: Route): Document {
  return {
    operationId: name,
    summary: route.summary,
    security: route.isOpen === true ? [] : [{ bearer: [] }],
    parameters: [...pathParameters(route.path), ...queryParameters(route.query)],
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: json(schemaOf(route.body, 'input')) } }),
    responses: {
      [String(route.status)]: { description: route.summary, content: contentOf(route) },
      default: {
        description: 'A problem (RFC 9457)',
        content: {
          'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
        },
      },
    },
  };
}

function contentOf({ response }: Route): Document {
  if (typeof response === 'string') return { [response]: { schema: { type: 'string' } } };
  return json(schemaOf(response, 'output'));
}

function json(schema: Document): Document {
  return { 'application/json': { schema } };
}

function pathParameters(path: string): readonly Document[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters(query: z.ZodType | undefined): readonly Document[] {
  if (query === undefined) return [];
  const { properties } = schemaOf(query, 'input') as { properties?: Record<string, Document> };
  return Object.entries(properties ?? {}).map(([name, schema]) => ({ name, in: 'query', schema }));
}
