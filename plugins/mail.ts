import fp from 'fastify-plugin'
import { createTransport } from 'nodemailer'
import { Counter } from 'prom-client'

/** An e-mail to one person. */
export interface Mail {
  to: { name: string, address: string }
  subject: string
  text: string
  html: string
  /** The same each time that it is tried, so that a mailbox can tell a repetition: the part before the @. */
  messageId: string
}

interface SmtpError { code?: string, responseCode?: number }

/** Whether an error is about the server or our account on it, and not about this mail. */
export const blamesServer = (error: unknown): boolean => !['EENVELOPE', 'EMESSAGE'].includes((error as SmtpError).code ?? '')

/** Whether a mail that was refused may be taken later: the server says so by 4xx. */
export const mayPassLater = (error: unknown): boolean => ((error as SmtpError).responseCode ?? 0) < 500

export interface Mailer {
  /** Whether there is a server to send by. */
  isOn: boolean
  /** Hands a mail to the server. @throws what the server answered; `blamesServer` and `mayPassLater` tell what to make of it */
  send: (mail: Mail) => Promise<void>
}

declare module 'fastify' {
  interface FastifyInstance { mailer: Mailer }
}

/** The longest to wait for a connection, and for an answer on one. */
const TIMEOUTS = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 30_000 }

/** E-mail by the SMTP server of `SMTP_URL`; without one nothing is sent. */
export default fp(async function mail (app) {
  const { SMTP_URL: url, MAIL_FROM: from } = app.config
  const sent = new Counter({ name: 'eden_mails_total', help: 'e-mails that this instance handed to the SMTP server', labelNames: ['outcome'], registers: [app.registry] })
  if (url === undefined) {
    app.decorate('mailer', { isOn: false, send: async () => { throw new Error('SMTP_URL is not set: there is no server to send by') } })
    return
  }
  const domain = /@([^>\s]+)>?\s*$/.exec(from)?.[1] ?? 'localhost'
  const transport = createTransport({ url, pool: true, maxConnections: 2, ...TIMEOUTS })
  app.decorate('mailer', {
    isOn: true,
    async send ({ messageId, ...mail }) {
      try {
        await transport.sendMail({ from, ...mail, messageId: `<${messageId}@${domain}>`, headers: { 'Auto-Submitted': 'auto-generated' }, disableFileAccess: true, disableUrlAccess: true })
        sent.inc({ outcome: 'sent' })
      } catch (error) {
        sent.inc({ outcome: 'failed' })
        throw error
      }
    }
  })
  app.addHook('onClose', async () => { transport.close() })
}, { name: 'mail', dependencies: ['settings', 'metrics'] })
