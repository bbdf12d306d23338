import Fastify from 'fastify'
import t from 'tap'
import { schemaController } from '../../plugins/validation.js'

const wrong = { type: 'object', properties: { of: { type: 'nothing that JSON Schema knows' } } }

await t.test('what is no schema ends the start in production, and the first request elsewhere', async (t) => {
  const schemas = [{ querystring: wrong }, { params: wrong }, { headers: wrong }, { body: wrong }, { response: { 200: wrong } }]
  for (const schema of schemas) {
    const build = (environment: 'production' | 'test') => {
      const app = Fastify({ schemaController: schemaController({ NODE_ENV: environment }) })
      t.teardown(() => app.close())
      app.post('/:of', { schema }, async () => ({}))
      return app
    }
    const part = Object.keys(schema).join()
    await t.rejects(Promise.resolve(build('production').ready()), { message: /schema/i }, part)
    t.equal((await build('test').inject({ method: 'POST', url: '/one', payload: {} })).statusCode, 500, part)
  }
})
