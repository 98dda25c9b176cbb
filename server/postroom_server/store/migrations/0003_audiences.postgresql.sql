ALTER TABLE "email" ADD COLUMN "audience_state" TEXT;
ALTER TABLE "email" ADD COLUMN "audience_found" INTEGER;
ALTER TABLE "email" ADD COLUMN "audience_unknown" TEXT;
ALTER TABLE "event" ADD COLUMN "progress" TEXT;
CREATE TABLE "expansion" (
  "email_id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "expand_time" BIGINT NOT NULL,
  "cursor" BIGINT NOT NULL,
  "position" INTEGER NOT NULL,
  "extras_placed" BOOLEAN NOT NULL
);
CREATE INDEX "expansion_due" ON "expansion" ("tenant_id", "expand_time", "email_id");
CREATE TABLE "member_copy" (
  "delivery_id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "email_id" BIGINT NOT NULL,
  "user_id" BIGINT NOT NULL,
  "language" TEXT,
  "member" TEXT,
  "problem" TEXT
);
