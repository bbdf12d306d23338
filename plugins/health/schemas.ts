import { Type, type Static, type TProperties } from 'typebox'
import { CpuSchema, MemorySchema, Metrics } from '../metrics/report.js'

export const Time = Type.String({ format: 'date-time' })
export const Status = Type.Object({ status: Type.Literal('ok') })
export const Live = Type.Object({ alive: Type.Literal(true), timestamp: Time })
export const Ready = Type.Object({ ready: Type.Literal(true), timestamp: Time })
export const NotReady = Type.Object({ ready: Type.Literal(false), reason: Type.String(), timestamp: Time })
export const Quick = Type.Object({ healthy: Type.Boolean(), status: Type.Enum(['healthy', 'unhealthy'], { type: 'string' }), timestamp: Time })
export const Ping = Type.Object({ db: Type.Literal('ok'), rows: Type.Array(Type.Object({ ok: Type.Integer() })), latency_ms: Type.Number() })
export const PingFailed = Type.Object({ db: Type.Literal('error'), error: Type.String() })

const HealthStatus = Type.Enum(['healthy', 'degraded', 'unhealthy'], { type: 'string' })
const Count = Type.Integer({ minimum: 0 })
const Names = Type.Array(Type.String())
const check = <T extends TProperties> (more: T) => Type.Object({ healthy: Type.Boolean(), status: HealthStatus, message: Type.String(), ...more })

export const Detailed = Type.Object({
  healthy: Type.Boolean({ description: 'false when a check is unhealthy; degraded is worth a look, and serves' }),
  status: HealthStatus,
  timestamp: Time,
  duration: Type.Number({ description: 'milliseconds that the checks took' }),
  checks: Type.Object({
    database: check({
      responseTime: Type.Number({ description: 'milliseconds' }),
      dbTime: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
      pool: Type.Object({ total: Count, idle: Count, waiting: Count, max: Count })
    }),
    schema: check({ tableCount: Count, columnCount: Count, missingTables: Names, missingColumns: Names, pendingMigrations: Names }),
    api: check({
      uptime: Type.Number({ description: 'seconds' }),
      responseTime: Type.Number({ description: 'milliseconds on average, lately' }),
      eventLoopDelay: Type.Number({ description: 'milliseconds' }),
      memory: Type.Object({ heapUsed: Count, heapTotal: Count, rss: Count, external: Count }, { description: 'bytes' })
    }),
    system: check({ memory: MemorySchema, cpu: CpuSchema, pid: Type.Integer(), nodeVersion: Type.String() }),
    environment: check({
      required: Type.Object({ configured: Names, missing: Names }),
      optional: Type.Object({ configured: Count, total: Count }, { description: 'how many differ from their defaults' }),
      nodeEnv: Type.String()
    })
  })
})
export type Detailed = Static<typeof Detailed>

export const Alert = Type.Object({
  name: Type.String(),
  severity: Type.Enum(['warning', 'critical'], { type: 'string' }),
  value: Type.Number({ description: 'in the unit of the table of thresholds' }),
  threshold: Type.Number(),
  since: Time
})

export const FullStatus = Type.Object({ timestamp: Time, health: Detailed, metrics: Metrics, alerts: Type.Array(Alert) })
