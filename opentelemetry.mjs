export * from './dist/telemetry/opentelemetry.js'
