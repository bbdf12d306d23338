/** How an instance ends for the connections that are open then. What it answers meanwhile: `health.test.ts`; as a process: `server.test.ts`. */
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import t from 'tap'
import { buildApp } from '../../app.js'
import { eventually, startApp } from '../helper.js'

const s = await startApp(t)

await t.test('a connection that asked nothing holds nobody up; one that is being answered is answered first', async (t) => {
  const app = await buildApp({ ...s.app.config, LOG_LEVEL: 'silent' })
  let release = () => {}
  const held = new Promise<void>((resolve) => { release = resolve })
  app.addHook('preHandler', async ({ url }) => { if (url === '/health?wait') await held })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const { port } = app.server.address() as AddressInfo
  const open = () => new Promise<number>((resolve) => { app.server.getConnections((_error, count) => resolve(count)) })

  const silent = connect(port, '127.0.0.1')
  const asking = connect(port, '127.0.0.1')
  t.teardown(() => { silent.destroy(); asking.destroy() })
  await eventually(async () => await open() === 2)
  const arrived = once(app.server, 'request')
  asking.write('GET /health?wait HTTP/1.1\r\nHost: x\r\n\r\n')
  await arrived

  const closing = app.close()
  silent.resume()
  await once(silent, 'close')
  t.equal(await open(), 1)
  release()
  const [answer] = await once(asking, 'data')
  t.match(String(answer), /^HTTP\/1\.1 200 /)
  await closing
  t.equal(await open(), 0)
})
