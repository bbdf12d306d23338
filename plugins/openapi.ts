import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fp from 'fastify-plugin'
import { Type } from 'typebox'
import { SELF } from './auth/index.js'
import { publicRoutes } from './public-routes.js'

const description = `
The coordination backend of a mechanical-electrical-plumbing contractor.

- Lists are arrays. \`limit\` is 1 to 200 (50 by default); while there is more, the \`Link\` header has the next page.
- A resource has an \`ETag\`. \`If-Match\` on a change refuses a stale one (412).
- Errors are problems (RFC 9457) with a stable \`code\`; \`errors\` names the fields.
- Times are RFC 3339 in UTC.
- \`x-permission\` is the permission that a caller needs; \`${SELF}\`: any signed-in person, who reaches what is their own. With \`x-permission-in-projects\` it is enough to have a role
  in the project that gives it.
`

declare module 'fastify' {
  interface FastifySchema {
    /** The form that a route takes in, for the document only: what comes as a stream is not there to be validated. */
    form?: object
  }
}

const takesEtag = (headers: unknown) => (headers as { properties?: object } | undefined)?.properties?.['if-none-match' as never] !== undefined

/** `/openapi.json`, and `/docs` to read and try it. Registered before all routes, or it does not see them. */
export default fp(async function openapi (app) {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Eden ERP', version: '0.1.0', description },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
          devEmail: { type: 'apiKey', in: 'header', name: 'X-Dev-Email', description: 'outside production only: acts as the person with this address' }
        }
      },
      security: [{ bearer: [] }, { devEmail: [] }],
      tags: [
        { name: 'tasks' }, { name: 'ball', description: 'whose court the ball is in' }, { name: 'comments' }, { name: 'calendar', description: 'when the company works' }, { name: 'projects' }, { name: 'companies', description: 'outside parties, and whom one talks to there' },
        { name: 'users' }, { name: 'roles', description: 'what people may do' }, { name: 'accounts', description: 'signing in by password, sessions, invitations' }, { name: 'tokens' }, { name: 'guests', description: 'links by which people without an account look at one task or project' }, { name: 'notifications' }, { name: 'activity' }, { name: 'search' }, { name: 'reports' }, { name: 'operations' }
      ]
    },
    refResolver: { buildLocalReference: (json, _baseUri, _fragment, i) => typeof json.$id === 'string' ? json.$id : `def-${i}` },
    transform: ({ schema, url, route }) => ({
      url,
      schema: {
        ...schema,
        ...publicRoutes.has(`${[route.method].flat()[0]} ${url}`) ? { security: [] } : {},
        ...route.config?.permission === undefined ? {} : { 'x-permission': route.config.permission },
        ...route.config?.inProject === undefined ? {} : { 'x-permission-in-projects': true },
        // A caller that has it already is told no more than that, wherever it may say so.
        ...takesEtag(schema?.headers) ? { response: { 304: Type.Null({ description: 'the caller has it' }), ...schema?.response as object } } : {},
        ...schema?.form === undefined ? {} : { body: schema.form }
      }
    })
  })
  app.get('/openapi.json', {
    schema: { operationId: 'getOpenApi', summary: 'This document', tags: ['operations'], response: { 200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: Type.Object({}, { additionalProperties: true }) } } } } }
  }, async () => app.swagger())
  // Its own scripts and styles only: the content security policy of the service already allows no more than that.
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: false, uiConfig: { persistAuthorization: true, tryItOutEnabled: true } })
}, { name: 'openapi', dependencies: ['auth'] })
