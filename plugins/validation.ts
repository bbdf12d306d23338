import AjvCompiler from '@fastify/ajv-compiler'
import fp from 'fastify-plugin'
import type { FastifyRequest, FastifyServerOptions } from 'fastify'

const options = { allErrors: false, removeAdditional: false as const, useDefaults: true, strict: false }

/**
 * Bodies are taken as they are: `5` is no `"5"`, and an unknown field is an error. Only what arrives as text (query,
 * path, headers) is coerced to what the schema says.
 */
export const schemaController: FastifyServerOptions['schemaController'] = {
  compilersFactory: {
    buildValidator (externalSchemas: unknown) {
      const strict = AjvCompiler()(externalSchemas as never, { customOptions: { ...options, coerceTypes: false } } as never)
      const coercing = AjvCompiler()(externalSchemas as never, { customOptions: { ...options, coerceTypes: true } } as never)
      return ((route: { httpPart?: string }) => route.httpPart === 'body' ? strict(route as never) : coercing(route as never)) as never
    }
  }
}

/** `status=open,todo` and `status=open&status=todo` are the same list. */
function splitLists (names: string[]) {
  return async (request: FastifyRequest) => {
    const query = request.query as Record<string, unknown>
    for (const name of names) {
      const value = query[name]
      if (typeof value === 'string') query[name] = value.split(',')
      else if (Array.isArray(value)) query[name] = value.flatMap((part: string) => part.split(','))
    }
  }
}

/** Query parameters that a route declares as arrays take comma lists. */
export default fp(async function validation (app) {
  app.addHook('onRoute', (route) => {
    const properties = (route.schema?.querystring as { properties?: Record<string, { type?: string }> } | undefined)?.properties ?? {}
    const lists = Object.keys(properties).filter((name) => properties[name]?.type === 'array')
    if (lists.length > 0) route.preValidation = [splitLists(lists), ...[route.preValidation ?? []].flat()]
  })
}, { name: 'validation' })
