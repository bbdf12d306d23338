import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import type { S3ServiceException } from '@aws-sdk/client-s3'
import { ConfigError, type Config } from '../config.js'
import { StorageUnavailable, type Store } from './store.js'

const CONNECT_MS = 5_000
/** How long the storage may be silent. */
const SILENCE_MS = 30_000

/**
 * What went wrong, without the request that it went wrong with: that one has the signature and the key's id.
 * A missing object is not the storage's fault, and no other try will find it.
 */
function plain (error: unknown): Error {
  const { name, message, $metadata } = error as S3ServiceException
  const cause = new Error(`S3: ${name}: ${message} (${$metadata?.httpStatusCode ?? 'no answer'})`)
  return name === 'NoSuchKey' ? cause : Object.assign(new StorageUnavailable(), { cause })
}

/** Whatever it would log is in the error too, which is logged with the request. */
const silent = { trace () {}, debug () {}, info () {}, warn () {}, error () {} }

/**
 * Files in a bucket of Amazon S3 or of whatever speaks its protocol, such as Supabase Storage. The client is loaded only
 * here: it costs more memory than all other packages.
 */
export async function s3Store ({ S3_ENDPOINT: endpoint, S3_REGION: region, S3_BUCKET: bucket, S3_ACCESS_KEY_ID: id, S3_SECRET_ACCESS_KEY: secret, S3_FORCE_PATH_STYLE: forcePathStyle }: Config): Promise<Store> {
  if (bucket === undefined || id === undefined || secret === undefined) throw new ConfigError('S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY must be set')
  const { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } = await import('@aws-sdk/client-s3')
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle,
    logger: silent,
    credentials: { accessKeyId: id, secretAccessKey: secret },
    requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: SILENCE_MS },
    // Checksums in trailers are Amazon's own: others store them as if they were part of the file, or refuse.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED'
  })
  const orPlain = (error: unknown) => { throw plain(error) }
  return {
    async put (key, { path, size }) {
      const body = createReadStream(path)
      try {
        await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentLength: size })).catch(orPlain)
      } finally {
        body.destroy()
      }
    },
    async read (key, bytes) {
      const Range = bytes === undefined ? undefined : `bytes=${bytes.start}-${bytes.end}`
      const { Body, ContentLength: length } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key, Range })).catch(orPlain)
      const body = Body as Readable
      if (bytes === undefined || length === bytes.end - bytes.start + 1) return body
      // Other bytes than those that were asked for must not be taken for them.
      body.destroy()
      throw Object.assign(new StorageUnavailable(), { cause: new Error(`S3: ${length} bytes came for ${Range}`) })
    },
    async remove (key) {
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key })).catch(orPlain)
    },
    close () {
      client.destroy()
    }
  }
}
