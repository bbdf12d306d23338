import { createHash } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { crc32, deflateSync } from 'node:zlib'

/** A small file of the demo company. */
export interface DemoFile { name: string, contentType: string, bytes: Buffer, sha256: string }

/** The most files of a company of any size: they are to be looked at, not to weigh something. */
export const MOST_FILES = 40

const ascii = (text: string) => text.replace(/[^\x20-\x7e]/g, '-')

/** A page with a heading (ISO 32000-1, 7.5), small enough to be written by hand. */
function pdf (title: string): Buffer {
  const stream = `BT /F1 16 Tf 50 780 Td (${ascii(title).replace(/[\\()]/g, '\\$&').slice(0, 60)}) Tj ET`
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>'
  ]
  let text = '%PDF-1.4\n'
  const offsets = objects.map((object, i) => {
    const at = text.length
    text += `${i + 1} 0 obj\n${object}\nendobj\n`
    return `${String(at).padStart(10, '0')} 00000 n \n`
  })
  const table = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${offsets.join('')}`
  return Buffer.from(`${text}${table}trailer << /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${text.length}\n%%EOF\n`)
}

/** A picture of two colours (PNG, third edition, 5): 64 by 48 points. */
function png (n: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const frame = Buffer.alloc(8)
    frame.writeUInt32BE(data.length, 0)
    frame.writeUInt32BE(crc32(body), 4)
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)])
  }
  const header = Buffer.from('0000004000000030' + '0802000000', 'hex')
  const row = (y: number) => Buffer.concat([Buffer.from([0]), ...Array.from({ length: 64 }, (_, x) => Buffer.from((x * 3 + y * 4 + n * 17) % 96 < 48 ? [60, 90, 120] : [220, 180, 60]))])
  const pixels = deflateSync(Buffer.concat(Array.from({ length: 48 }, (_, y) => row(y))))
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))])
}

/** The nth file: a drawing, a photo or a note, in turn. */
export function makeFile (n: number, title: string): DemoFile {
  const number = String(n + 1).padStart(2, '0')
  const [name, contentType, bytes] = ([
    [`Shop drawing ${number}.pdf`, 'application/pdf', pdf(title)],
    [`Photo ${number} – site.png`, 'image/png', png(n)],
    [`Notes ${number}.txt`, 'text/plain', Buffer.from(`${title}\n\nChecked on site. Dimensions as on the drawing; anchors are missing on the north side.\n`)]
  ] as const)[n % 3]!
  return { name, contentType, bytes, sha256: createHash('sha256').update(bytes).digest('hex') }
}

const place = (folder: string, id: string) => path.join(folder, 'kept', id.slice(-2), id)

/** Writes files where the service keeps those of these ids. */
export async function writeFiles (folder: string, files: ReadonlyMap<string, DemoFile>): Promise<void> {
  for (const [id, { bytes }] of files) {
    await mkdir(path.dirname(place(folder, id)), { recursive: true })
    await writeFile(place(folder, id), bytes, { mode: 0o600 })
  }
}

/** Removes files of an earlier load, where they are still there. */
export async function removeFiles (folder: string, ids: readonly string[]): Promise<void> {
  for (const id of ids) await rm(place(folder, id), { force: true })
}
