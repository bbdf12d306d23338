import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { simpleParser, type ParsedMail } from 'mailparser'
import { SMTPServer } from 'smtp-server'

interface Teardown { teardown (handler: () => Promise<void>): void }

export interface Mailbox {
  url: string
  /** What was taken, in order. */
  mails: ParsedMail[]
  /** The addresses that mails were taken for. */
  recipients: string[]
  /** Decides about a recipient: an error refuses it. */
  refuse: (decide: (address: string) => { code: number, message: string } | undefined) => void
  stop: () => Promise<void>
}

/** A real SMTP server, of one's own, that wants a password; gone when the test ends. */
export async function startSmtp (t: Teardown, { port = 0, password = 'right' } = {}): Promise<Mailbox> {
  const mails: ParsedMail[] = []
  const recipients: string[] = []
  let decide: Parameters<Mailbox['refuse']>[0] = () => undefined
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    closeTimeout: 10, // a client's pool of connections is not waited for
    allowInsecureAuth: true,
    onAuth: (auth, _session, done) => done(auth.password === password ? null : new Error('wrong password'), { user: auth.username }),
    onRcptTo (address, _session, done) {
      const refusal = decide(address.address)
      done(refusal === undefined ? null : Object.assign(new Error(refusal.message), { responseCode: refusal.code }))
    },
    onData (stream, session, done) {
      simpleParser(stream).then((mail) => {
        mails.push(mail)
        recipients.push(...session.envelope.rcptTo.map(({ address }) => address))
        done()
      }, done)
    }
  })
  server.on('error', () => {}) // a client that goes away
  server.listen(port, '127.0.0.1')
  await once(server.server, 'listening')
  let stopped: Promise<void> | undefined
  const stop = () => (stopped ??= new Promise((resolve) => { server.close(() => resolve()) }))
  t.teardown(stop)
  return { url: `smtp://eden:right@127.0.0.1:${(server.server.address() as AddressInfo).port}`, mails, recipients, refuse: (how) => { decide = how }, stop }
}
