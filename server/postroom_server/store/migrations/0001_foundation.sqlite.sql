-- The first tables, for SQLite. Equal to the models (tests/store/test_migrations.py).
CREATE TABLE "attachment" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "email_id" INTEGER NOT NULL,
  "position" INTEGER NOT NULL,
  "name" TEXT NOT NULL,
  "content_type" TEXT NOT NULL,
  "content_id" TEXT,
  "url" TEXT,
  "blob_id" INTEGER
);
CREATE UNIQUE INDEX "attachment_email_id_position" ON "attachment" ("email_id", "position");
CREATE TABLE "attempt" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "email_id" INTEGER NOT NULL,
  "delivery_id" INTEGER NOT NULL,
  "server_id" INTEGER,
  "worker_id" INTEGER NOT NULL,
  "outcome" TEXT NOT NULL,
  "phase" TEXT,
  "code" INTEGER,
  "enhanced" TEXT,
  "reply" TEXT,
  "tls_version" TEXT,
  "ambiguous" INTEGER NOT NULL,
  "accepted_count" INTEGER NOT NULL,
  "refused_count" INTEGER NOT NULL,
  "start_time" INTEGER NOT NULL,
  "end_time" INTEGER NOT NULL
);
CREATE INDEX "attempt_email" ON "attempt" ("email_id", "id");
CREATE TABLE "binding" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "biz_key" TEXT NOT NULL,
  "invoke_name" TEXT NOT NULL,
  "create_time" INTEGER NOT NULL
);
CREATE UNIQUE INDEX "binding_tenant_id_biz_key" ON "binding" ("tenant_id", "biz_key");
CREATE TABLE "blob" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "sha256" BLOB NOT NULL,
  "size" INTEGER NOT NULL,
  "content" BLOB NOT NULL
);
CREATE UNIQUE INDEX "blob_tenant_id_sha256" ON "blob" ("tenant_id", "sha256");
CREATE TABLE "code" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "biz_key" TEXT NOT NULL,
  "address_key" TEXT NOT NULL,
  "email_id" INTEGER NOT NULL,
  "delivery_id" INTEGER NOT NULL,
  "nonce" BLOB NOT NULL,
  "key_id" TEXT NOT NULL,
  "validity" INTEGER NOT NULL,
  "create_time" INTEGER NOT NULL,
  "hand_over_time" INTEGER,
  "consume_time" INTEGER
);
CREATE INDEX "code_tenant_id_biz_key_address_key_create_time" ON "code" ("tenant_id", "biz_key", "address_key", "create_time");
CREATE INDEX "code_tenant_id_address_key_create_time" ON "code" ("tenant_id", "address_key", "create_time");
CREATE INDEX "code_delivery_id" ON "code" ("delivery_id");
CREATE TABLE "code_guess" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "biz_key" TEXT NOT NULL,
  "address_key" TEXT NOT NULL,
  "wrong_count" INTEGER NOT NULL,
  "window_start_time" INTEGER NOT NULL
);
CREATE UNIQUE INDEX "code_guess_tenant_id_biz_key_address_key" ON "code_guess" ("tenant_id", "biz_key", "address_key");
CREATE TABLE "content" (
  "email_id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "html" TEXT,
  "text" TEXT,
  "params" TEXT,
  "recipient_params" TEXT
);
CREATE TABLE "delivery" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "email_id" INTEGER NOT NULL,
  "lane" INTEGER NOT NULL,
  "position" INTEGER NOT NULL,
  "message_id" TEXT NOT NULL,
  "date_time" INTEGER NOT NULL,
  "at_most_once" INTEGER NOT NULL,
  "state" TEXT NOT NULL,
  "run_at" INTEGER NOT NULL,
  "expire_time" INTEGER NOT NULL,
  "lease_owner" INTEGER,
  "lease_token" INTEGER NOT NULL,
  "cancel_requested" INTEGER NOT NULL,
  "phase" TEXT,
  "dot_time" INTEGER,
  "transactions" INTEGER NOT NULL,
  "tries" INTEGER NOT NULL,
  "crash_count" INTEGER NOT NULL
);
CREATE INDEX "delivery_email" ON "delivery" ("email_id", "position");
CREATE INDEX "delivery_due" ON "delivery" ("lane", "tenant_id", "run_at", "id") WHERE ("state" = 'READY');
CREATE INDEX "delivery_leased" ON "delivery" ("lease_owner", "id") WHERE ("state" = 'LEASED');
CREATE INDEX "delivery_held" ON "delivery" ("expire_time", "id") WHERE ("state" = 'HELD');
CREATE TABLE "email" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "token_id" INTEGER NOT NULL,
  "sender_user_id" INTEGER NOT NULL,
  "out_id" TEXT NOT NULL,
  "biz_key" TEXT,
  "language" TEXT,
  "template_language" TEXT,
  "invoke_name" TEXT,
  "template_version_id" INTEGER,
  "html" INTEGER NOT NULL,
  "subject" TEXT,
  "subject_prefix" TEXT,
  "from_address" TEXT NOT NULL,
  "from_name" TEXT NOT NULL,
  "reply_to" TEXT,
  "ignore_suppression" INTEGER NOT NULL,
  "separate" INTEGER NOT NULL,
  "at_most_once" INTEGER NOT NULL,
  "urgent" INTEGER NOT NULL,
  "test" INTEGER NOT NULL,
  "verification" INTEGER NOT NULL,
  "validity" INTEGER,
  "labels" TEXT,
  "headers" TEXT,
  "audience" TEXT,
  "audience_cursor" INTEGER,
  "state" TEXT NOT NULL,
  "failure_reason" TEXT,
  "recipient_count" INTEGER NOT NULL,
  "open_count" INTEGER NOT NULL,
  "delivered_count" INTEGER NOT NULL,
  "refused_count" INTEGER NOT NULL,
  "expired_count" INTEGER NOT NULL,
  "cancelled_count" INTEGER NOT NULL,
  "suppressed_count" INTEGER NOT NULL,
  "unknown_count" INTEGER NOT NULL,
  "bounced_count" INTEGER NOT NULL,
  "ambiguous_count" INTEGER NOT NULL,
  "accept_time" INTEGER NOT NULL,
  "schedule_time" INTEGER,
  "expire_time" INTEGER NOT NULL,
  "settle_time" INTEGER,
  "delete_time" INTEGER
);
CREATE INDEX "email_list" ON "email" ("tenant_id", "id") WHERE ("delete_time" IS NULL);
CREATE INDEX "email_list_state" ON "email" ("tenant_id", "state", "id") WHERE ("delete_time" IS NULL);
CREATE INDEX "email_list_biz_key" ON "email" ("tenant_id", "biz_key", "id") WHERE ("delete_time" IS NULL);
CREATE INDEX "email_list_out_id" ON "email" ("tenant_id", "out_id", "id") WHERE ("delete_time" IS NULL);
CREATE INDEX "email_list_schedule" ON "email" ("tenant_id", "schedule_time", "id") WHERE ("delete_time" IS NULL);
CREATE INDEX "email_list_settle" ON "email" ("tenant_id", "settle_time", "id") WHERE ("delete_time" IS NULL);
CREATE TABLE "event" (
  "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  "tenant_id" INTEGER NOT NULL,
  "email_id" INTEGER,
  "delivery_id" INTEGER,
  "recipient_id" INTEGER,
  "kind" TEXT NOT NULL,
  "state" TEXT,
  "outcome" TEXT,
  "phase" TEXT,
  "server_id" INTEGER,
  "code" INTEGER,
  "enhanced" TEXT,
  "ambiguous" INTEGER NOT NULL,
  "time" INTEGER NOT NULL
);
CREATE INDEX "event_stream" ON "event" ("tenant_id", "id");
CREATE INDEX "event_email" ON "event" ("email_id");
CREATE TABLE "fact" (
  "name" TEXT NOT NULL PRIMARY KEY,
  "value" TEXT NOT NULL
);
CREATE TABLE "generation" (
  "name" TEXT NOT NULL PRIMARY KEY,
  "value" INTEGER NOT NULL
);
CREATE TABLE "idempotency" (
  "tenant_id" INTEGER NOT NULL,
  "method" TEXT NOT NULL,
  "request_id" TEXT NOT NULL,
  "fingerprint" BLOB NOT NULL,
  "answer" TEXT NOT NULL,
  "create_time" INTEGER NOT NULL,
  PRIMARY KEY ("tenant_id", "method", "request_id")
);
CREATE INDEX "idempotency_create_time" ON "idempotency" ("create_time");
CREATE TABLE "mail_server" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "name" TEXT NOT NULL,
  "host" TEXT NOT NULL,
  "port" INTEGER NOT NULL,
  "tls_mode" TEXT NOT NULL,
  "auth_mechanism" TEXT NOT NULL,
  "username" TEXT,
  "sealed_password" BLOB,
  "priority" INTEGER NOT NULL,
  "weight" INTEGER NOT NULL,
  "max_connections" INTEGER NOT NULL,
  "messages_per_second" REAL,
  "allowed_senders" TEXT NOT NULL,
  "from_address" TEXT,
  "from_name" TEXT,
  "subject_prefix" TEXT,
  "state" TEXT NOT NULL,
  "create_time" INTEGER NOT NULL,
  "update_time" INTEGER NOT NULL
);
CREATE UNIQUE INDEX "mail_server_tenant_id_name" ON "mail_server" ("tenant_id", "name");
CREATE TABLE "member" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "user_id" INTEGER NOT NULL,
  "address" TEXT NOT NULL,
  "language" TEXT,
  "enabled" INTEGER NOT NULL,
  "attributes" TEXT NOT NULL,
  "create_time" INTEGER NOT NULL,
  "update_time" INTEGER NOT NULL
);
CREATE UNIQUE INDEX "member_tenant_id_user_id" ON "member" ("tenant_id", "user_id");
CREATE TABLE "membership" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "kind" TEXT NOT NULL,
  "object_key" TEXT NOT NULL,
  "member_id" INTEGER NOT NULL
);
CREATE UNIQUE INDEX "membership_tenant_id_kind_object_key_member_id" ON "membership" ("tenant_id", "kind", "object_key", "member_id");
CREATE INDEX "membership_member_id" ON "membership" ("member_id");
CREATE TABLE "preparation" (
  "email_id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "lane" INTEGER NOT NULL,
  "fetch_time" INTEGER NOT NULL,
  "tries" INTEGER NOT NULL
);
CREATE INDEX "preparation_due" ON "preparation" ("lane", "tenant_id", "fetch_time", "email_id");
CREATE TABLE "purge_ticket" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "create_time" INTEGER NOT NULL
);
CREATE TABLE "recipient" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "email_id" INTEGER NOT NULL,
  "delivery_id" INTEGER NOT NULL,
  "role" TEXT NOT NULL,
  "address" TEXT NOT NULL,
  "state" TEXT NOT NULL,
  "last_code" INTEGER,
  "last_enhanced" TEXT,
  "last_reply" TEXT,
  "settle_time" INTEGER
);
CREATE INDEX "recipient_email" ON "recipient" ("email_id", "id");
CREATE INDEX "recipient_delivery" ON "recipient" ("delivery_id", "id");
CREATE INDEX "recipient_address" ON "recipient" ("tenant_id", "address", "email_id");
CREATE TABLE "suppression" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "address_key" TEXT NOT NULL,
  "address" TEXT,
  "reason" TEXT NOT NULL,
  "email_id" INTEGER,
  "note" TEXT,
  "create_time" INTEGER NOT NULL
);
CREATE UNIQUE INDEX "suppression_tenant_id_address_key" ON "suppression" ("tenant_id", "address_key");
CREATE INDEX "suppression_tenant_id_id" ON "suppression" ("tenant_id", "id");
CREATE TABLE "template" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "invoke_name" TEXT NOT NULL,
  "name" TEXT NOT NULL,
  "kind" TEXT NOT NULL,
  "latest_version_id" INTEGER NOT NULL,
  "approved_version_id" INTEGER,
  "create_time" INTEGER NOT NULL,
  "update_time" INTEGER
);
CREATE UNIQUE INDEX "template_tenant_id_invoke_name" ON "template" ("tenant_id", "invoke_name");
CREATE TABLE "template_variable" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "version_id" INTEGER NOT NULL,
  "position" INTEGER NOT NULL,
  "name" TEXT NOT NULL,
  "type" TEXT NOT NULL,
  "required" INTEGER NOT NULL,
  "declared" INTEGER NOT NULL,
  "literal" INTEGER NOT NULL,
  "raw" INTEGER NOT NULL,
  "default_value" TEXT
);
CREATE UNIQUE INDEX "template_variable_version_id_name" ON "template_variable" ("version_id", "name");
CREATE TABLE "template_variant" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "version_id" INTEGER NOT NULL,
  "position" INTEGER NOT NULL,
  "language" TEXT NOT NULL,
  "subject" TEXT NOT NULL,
  "html" TEXT,
  "text" TEXT
);
CREATE UNIQUE INDEX "template_variant_version_id_language" ON "template_variant" ("version_id", "language");
CREATE TABLE "template_version" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "template_id" INTEGER NOT NULL,
  "number" INTEGER NOT NULL,
  "name" TEXT NOT NULL,
  "kind" TEXT NOT NULL,
  "restored_number" INTEGER,
  "syntax" TEXT NOT NULL,
  "default_language" TEXT NOT NULL,
  "samples" TEXT,
  "validity" INTEGER,
  "author" TEXT NOT NULL,
  "create_time" INTEGER NOT NULL,
  "review_state" TEXT NOT NULL,
  "submit_time" INTEGER,
  "reviewer" TEXT,
  "review_time" INTEGER,
  "review_reason" TEXT
);
CREATE UNIQUE INDEX "template_version_template_id_number" ON "template_version" ("template_id", "number");
CREATE TABLE "tenant" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "name" TEXT NOT NULL,
  "state" TEXT NOT NULL,
  "sender_domains" TEXT NOT NULL,
  "review_mode" TEXT NOT NULL,
  "default_language" TEXT NOT NULL,
  "from_address" TEXT,
  "from_name" TEXT,
  "content_retention" INTEGER NOT NULL,
  "metadata_retention" INTEGER NOT NULL,
  "limits" TEXT NOT NULL,
  "create_time" INTEGER NOT NULL,
  "update_time" INTEGER NOT NULL
);
CREATE UNIQUE INDEX "tenant_name" ON "tenant" ("name");
CREATE TABLE "token" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "tenant_id" INTEGER NOT NULL,
  "name" TEXT NOT NULL,
  "secret_hash" BLOB NOT NULL,
  "api_user" TEXT,
  "scopes" TEXT NOT NULL,
  "test" INTEGER NOT NULL,
  "user_id" INTEGER NOT NULL,
  "calls_per_minute" INTEGER NOT NULL,
  "create_time" INTEGER NOT NULL,
  "expire_time" INTEGER,
  "revoke_time" INTEGER,
  "last_used_time" INTEGER
);
CREATE UNIQUE INDEX "token_secret_hash" ON "token" ("secret_hash");
CREATE UNIQUE INDEX "token_api_user" ON "token" ("api_user");
CREATE INDEX "token_tenant_id_id" ON "token" ("tenant_id", "id");
CREATE TABLE "worker" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "incarnation" TEXT NOT NULL,
  "beat" INTEGER NOT NULL,
  "start_time" INTEGER NOT NULL,
  "beat_time" INTEGER NOT NULL
);

INSERT INTO "generation" ("name", "value") VALUES ('catalog', 1);

CREATE TRIGGER "event_is_never_changed" BEFORE UPDATE ON "event"
BEGIN
  SELECT RAISE(ABORT, 'events are never changed');
END;

CREATE TRIGGER "event_is_removed_by_retention_only" BEFORE DELETE ON "event"
WHEN NOT EXISTS (SELECT 1 FROM "purge_ticket")
BEGIN
  SELECT RAISE(ABORT, 'events are removed by retention only');
END;
