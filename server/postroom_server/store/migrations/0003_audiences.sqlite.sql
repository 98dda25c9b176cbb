ALTER TABLE "email" ADD COLUMN "audience_state" TEXT;
ALTER TABLE "email" ADD COLUMN "audience_found" INTEGER;
ALTER TABLE "email" ADD COLUMN "audience_unknown" TEXT;
ALTER TABLE "event" ADD COLUMN "progress" TEXT;
CREATE TABLE "expansion" (
  "email_id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "expand_time" INTEGER NOT NULL,
  "cursor" INTEGER NOT NULL,
  "position" INTEGER NOT NULL,
  "extras_placed" INTEGER NOT NULL
);
CREATE INDEX "expansion_due" ON "expansion" ("tenant_id", "expand_time", "email_id");
CREATE TABLE "member_copy" (
  "delivery_id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "email_id" INTEGER NOT NULL,
  "user_id" INTEGER NOT NULL,
  "language" TEXT,
  "member" TEXT,
  "problem" TEXT
);
