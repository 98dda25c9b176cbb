CREATE TABLE "template_call" (
  "template_id" BIGINT NOT NULL,
  "digest" TEXT NOT NULL,
  "language" TEXT NOT NULL,
  "circumstances" SMALLINT NOT NULL,
  "shape" TEXT NOT NULL,
  "partial" BOOLEAN NOT NULL,
  "seen_time" BIGINT NOT NULL,
  PRIMARY KEY ("template_id", "digest")
);
CREATE INDEX "template_call_seen_time" ON "template_call" ("seen_time");
CREATE TABLE "template_caller" (
  "template_id" BIGINT NOT NULL,
  "digest" TEXT NOT NULL,
  "token_id" BIGINT NOT NULL,
  "tenant_id" BIGINT NOT NULL,
  "name" TEXT NOT NULL,
  "labels" TEXT NOT NULL,
  "seen_time" BIGINT NOT NULL,
  PRIMARY KEY ("template_id", "digest", "token_id")
);
CREATE INDEX "template_caller_seen_time" ON "template_caller" ("seen_time");
