import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import t from 'tap'
import { startThrowawayCluster } from '../../embedded/index.js'
import { processesIn, query, startOwner } from './helper.js'

const folderOf = async (url: string) => String((await query(url, "select current_setting('data_directory') as folder"))[0]?.folder)

t.test('a throwaway cluster trades safety for speed, and is gone after its stop', async (t) => {
  const cluster = await startThrowawayCluster()
  t.teardown(() => cluster.stop())
  t.match(cluster.serverVersion, /^\d+\.\d+/)
  t.same(await query(cluster.url, "select current_setting('fsync') as fsync, current_setting('max_connections') as connections, current_user as user"), [
    { fsync: 'off', connections: '300', user: 'postgres' }
  ])
  const folder = await folderOf(cluster.url)
  await Promise.all([cluster.stop(), cluster.stop()])
  t.same(await processesIn(folder), [])
  await t.rejects(stat(dirname(folder)), { code: 'ENOENT' })
})

t.test('a throwaway cluster whose run was killed is removed by the next one', async (t) => {
  const killed = startOwner(t, '', { mode: 'throwaway' })
  const folder = await folderOf((await killed.opened).url)
  killed.child.kill('SIGKILL')
  await killed.ended
  const next = await startThrowawayCluster()
  t.teardown(() => next.stop())
  t.same(await processesIn(folder), [])
  await t.rejects(stat(dirname(folder)), { code: 'ENOENT' })
})
