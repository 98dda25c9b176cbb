-- The first tables, for PostgreSQL. Equal to the models (tests/store/test_migrations.py).
CREATE TABLE "attachment" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "email_id" BIGINT NOT NULL,
  "position" SMALLINT NOT NULL,
  "name" TEXT NOT NULL,
  "content_type" TEXT NOT NULL,
  "content_id" TEXT,
  "url" TEXT,
  "blob_id" BIGINT
);
CREATE UNIQUE INDEX "attachment_email_id_position" ON "attachment" ("email_id", "position");
CREATE TABLE "attempt" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "email_id" BIGINT NOT NULL,
  "delivery_id" BIGINT NOT NULL,
  "server_id" BIGINT,
  "worker_id" BIGINT NOT NULL,
  "outcome" TEXT NOT NULL,
  "phase" TEXT,
  "code" SMALLINT,
  "enhanced" TEXT,
  "reply" TEXT,
  "tls_version" TEXT,
  "ambiguous" BOOLEAN NOT NULL,
  "accepted_count" INTEGER NOT NULL,
  "refused_count" INTEGER NOT NULL,
  "start_time" BIGINT NOT NULL,
  "end_time" BIGINT NOT NULL
);
CREATE INDEX "attempt_email" ON "attempt" ("email_id", "id");
CREATE TABLE "binding" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "biz_key" TEXT COLLATE "C" NOT NULL,
  "invoke_name" TEXT COLLATE "C" NOT NULL,
  "create_time" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "binding_tenant_id_biz_key" ON "binding" ("tenant_id", "biz_key");
CREATE TABLE "blob" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "sha256" BYTEA NOT NULL,
  "size" INTEGER NOT NULL,
  "content" BYTEA NOT NULL
);
CREATE UNIQUE INDEX "blob_tenant_id_sha256" ON "blob" ("tenant_id", "sha256");
CREATE TABLE "code" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "biz_key" TEXT COLLATE "C" NOT NULL,
  "address_key" TEXT COLLATE "C" NOT NULL,
  "email_id" BIGINT NOT NULL,
  "delivery_id" BIGINT NOT NULL,
  "nonce" BYTEA NOT NULL,
  "key_id" TEXT NOT NULL,
  "validity" BIGINT NOT NULL,
  "create_time" BIGINT NOT NULL,
  "hand_over_time" BIGINT,
  "consume_time" BIGINT
);
CREATE INDEX "code_tenant_id_biz_key_address_key_create_time" ON "code" ("tenant_id", "biz_key", "address_key", "create_time");
CREATE INDEX "code_tenant_id_address_key_create_time" ON "code" ("tenant_id", "address_key", "create_time");
CREATE INDEX "code_delivery_id" ON "code" ("delivery_id");
CREATE TABLE "code_guess" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "biz_key" TEXT COLLATE "C" NOT NULL,
  "address_key" TEXT COLLATE "C" NOT NULL,
  "wrong_count" INTEGER NOT NULL,
  "window_start_time" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "code_guess_tenant_id_biz_key_address_key" ON "code_guess" ("tenant_id", "biz_key", "address_key");
CREATE TABLE "content" (
  "email_id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "html" TEXT,
  "text" TEXT,
  "params" TEXT,
  "recipient_params" TEXT
);
CREATE TABLE "delivery" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "email_id" BIGINT NOT NULL,
  "lane" SMALLINT NOT NULL,
  "position" INTEGER NOT NULL,
  "message_id" TEXT NOT NULL,
  "date_time" BIGINT NOT NULL,
  "at_most_once" BOOLEAN NOT NULL,
  "state" TEXT NOT NULL,
  "run_at" BIGINT NOT NULL,
  "expire_time" BIGINT NOT NULL,
  "lease_owner" BIGINT,
  "lease_token" INTEGER NOT NULL,
  "cancel_requested" BOOLEAN NOT NULL,
  "phase" TEXT,
  "dot_time" BIGINT,
  "transactions" INTEGER NOT NULL,
  "tries" INTEGER NOT NULL,
  "crash_count" INTEGER NOT NULL
);
CREATE INDEX "delivery_email" ON "delivery" ("email_id", "position");
CREATE INDEX "delivery_due" ON "delivery" ("lane", "tenant_id", "run_at", "id") WHERE ("state" = 'READY');
CREATE INDEX "delivery_leased" ON "delivery" ("lease_owner", "id") WHERE ("state" = 'LEASED');
CREATE INDEX "delivery_held" ON "delivery" ("expire_time", "id") WHERE ("state" = 'HELD');
CREATE TABLE "email" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "token_id" BIGINT NOT NULL,
  "sender_user_id" BIGINT NOT NULL,
  "out_id" TEXT COLLATE "C" NOT NULL,
  "biz_key" TEXT COLLATE "C",
  "language" TEXT,
  "template_language" TEXT,
  "invoke_name" TEXT COLLATE "C",
  "template_version_id" BIGINT,
  "html" BOOLEAN NOT NULL,
  "subject" TEXT,
  "subject_prefix" TEXT,
  "from_address" TEXT NOT NULL,
  "from_name" TEXT NOT NULL,
  "reply_to" TEXT,
  "ignore_suppression" BOOLEAN NOT NULL,
  "separate" BOOLEAN NOT NULL,
  "at_most_once" BOOLEAN NOT NULL,
  "urgent" BOOLEAN NOT NULL,
  "test" BOOLEAN NOT NULL,
  "verification" BOOLEAN NOT NULL,
  "validity" BIGINT,
  "labels" TEXT,
  "headers" TEXT,
  "audience" TEXT,
  "audience_cursor" BIGINT,
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
  "accept_time" BIGINT NOT NULL,
  "schedule_time" BIGINT,
  "expire_time" BIGINT NOT NULL,
  "settle_time" BIGINT,
  "delete_time" BIGINT
);
CREATE INDEX "email_list" ON "email" ("tenant_id", "id") WHERE ("delete_time" IS NULL);
CREATE INDEX "email_list_state" ON "email" ("tenant_id", "state", "id") WHERE ("delete_time" IS NULL);
CREATE INDEX "email_list_biz_key" ON "email" ("tenant_id", "biz_key", "id") WHERE ("delete_time" IS NULL);
CREATE INDEX "email_list_out_id" ON "email" ("tenant_id", "out_id", "id") WHERE ("delete_time" IS NULL);
CREATE INDEX "email_list_schedule" ON "email" ("tenant_id", "schedule_time", "id") WHERE ("delete_time" IS NULL);
CREATE INDEX "email_list_settle" ON "email" ("tenant_id", "settle_time", "id") WHERE ("delete_time" IS NULL);
CREATE TABLE "event" (
  "id" BIGSERIAL NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "email_id" BIGINT,
  "delivery_id" BIGINT,
  "recipient_id" BIGINT,
  "kind" TEXT NOT NULL,
  "state" TEXT,
  "outcome" TEXT,
  "phase" TEXT,
  "server_id" BIGINT,
  "code" SMALLINT,
  "enhanced" TEXT,
  "ambiguous" BOOLEAN NOT NULL,
  "time" BIGINT NOT NULL,
  "xid" XID8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX "event_stream" ON "event" ("tenant_id", "xid", "id");
CREATE INDEX "event_email" ON "event" ("email_id");
CREATE TABLE "fact" (
  "name" TEXT NOT NULL PRIMARY KEY,
  "value" TEXT NOT NULL
);
CREATE TABLE "generation" (
  "name" TEXT NOT NULL PRIMARY KEY,
  "value" BIGINT NOT NULL
);
CREATE TABLE "idempotency" (
  "tenant_id" BIGINT NOT NULL,
  "method" TEXT NOT NULL,
  "request_id" TEXT NOT NULL,
  "fingerprint" BYTEA NOT NULL,
  "answer" TEXT NOT NULL,
  "create_time" BIGINT NOT NULL,
  PRIMARY KEY ("tenant_id", "method", "request_id")
);
CREATE INDEX "idempotency_create_time" ON "idempotency" ("create_time");
CREATE TABLE "mail_server" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "name" TEXT NOT NULL,
  "host" TEXT NOT NULL,
  "port" INTEGER NOT NULL,
  "tls_mode" TEXT NOT NULL,
  "auth_mechanism" TEXT NOT NULL,
  "username" TEXT,
  "sealed_password" BYTEA,
  "priority" INTEGER NOT NULL,
  "weight" INTEGER NOT NULL,
  "max_connections" INTEGER NOT NULL,
  "messages_per_second" DOUBLE PRECISION,
  "allowed_senders" TEXT NOT NULL,
  "from_address" TEXT,
  "from_name" TEXT,
  "subject_prefix" TEXT,
  "state" TEXT NOT NULL,
  "create_time" BIGINT NOT NULL,
  "update_time" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "mail_server_tenant_id_name" ON "mail_server" ("tenant_id", "name");
CREATE TABLE "member" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "user_id" BIGINT NOT NULL,
  "address" TEXT COLLATE "C" NOT NULL,
  "language" TEXT,
  "enabled" BOOLEAN NOT NULL,
  "attributes" TEXT NOT NULL,
  "create_time" BIGINT NOT NULL,
  "update_time" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "member_tenant_id_user_id" ON "member" ("tenant_id", "user_id");
CREATE TABLE "membership" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "kind" TEXT NOT NULL,
  "object_key" TEXT NOT NULL,
  "member_id" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "membership_tenant_id_kind_object_key_member_id" ON "membership" ("tenant_id", "kind", "object_key", "member_id");
CREATE INDEX "membership_member_id" ON "membership" ("member_id");
CREATE TABLE "preparation" (
  "email_id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "lane" SMALLINT NOT NULL,
  "fetch_time" BIGINT NOT NULL,
  "tries" INTEGER NOT NULL
);
CREATE INDEX "preparation_due" ON "preparation" ("lane", "tenant_id", "fetch_time", "email_id");
CREATE TABLE "purge_ticket" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "create_time" BIGINT NOT NULL
);
CREATE TABLE "recipient" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "email_id" BIGINT NOT NULL,
  "delivery_id" BIGINT NOT NULL,
  "role" TEXT NOT NULL,
  "address" TEXT COLLATE "C" NOT NULL,
  "state" TEXT NOT NULL,
  "last_code" SMALLINT,
  "last_enhanced" TEXT,
  "last_reply" TEXT,
  "settle_time" BIGINT
);
CREATE INDEX "recipient_email" ON "recipient" ("email_id", "id");
CREATE INDEX "recipient_delivery" ON "recipient" ("delivery_id", "id");
CREATE INDEX "recipient_address" ON "recipient" ("tenant_id", "address", "email_id");
CREATE TABLE "suppression" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "address_key" TEXT COLLATE "C" NOT NULL,
  "address" TEXT COLLATE "C",
  "reason" TEXT NOT NULL,
  "email_id" BIGINT,
  "note" TEXT,
  "create_time" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "suppression_tenant_id_address_key" ON "suppression" ("tenant_id", "address_key");
CREATE INDEX "suppression_tenant_id_id" ON "suppression" ("tenant_id", "id");
CREATE TABLE "template" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "invoke_name" TEXT COLLATE "C" NOT NULL,
  "name" TEXT NOT NULL,
  "kind" TEXT NOT NULL,
  "latest_version_id" BIGINT NOT NULL,
  "approved_version_id" BIGINT,
  "create_time" BIGINT NOT NULL,
  "update_time" BIGINT
);
CREATE UNIQUE INDEX "template_tenant_id_invoke_name" ON "template" ("tenant_id", "invoke_name");
CREATE TABLE "template_variable" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "version_id" BIGINT NOT NULL,
  "position" SMALLINT NOT NULL,
  "name" TEXT NOT NULL,
  "type" TEXT NOT NULL,
  "required" BOOLEAN NOT NULL,
  "declared" BOOLEAN NOT NULL,
  "literal" BOOLEAN NOT NULL,
  "raw" BOOLEAN NOT NULL,
  "default_value" TEXT
);
CREATE UNIQUE INDEX "template_variable_version_id_name" ON "template_variable" ("version_id", "name");
CREATE TABLE "template_variant" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "version_id" BIGINT NOT NULL,
  "position" SMALLINT NOT NULL,
  "language" TEXT NOT NULL,
  "subject" TEXT NOT NULL,
  "html" TEXT,
  "text" TEXT
);
CREATE UNIQUE INDEX "template_variant_version_id_language" ON "template_variant" ("version_id", "language");
CREATE TABLE "template_version" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "template_id" BIGINT NOT NULL,
  "number" INTEGER NOT NULL,
  "name" TEXT NOT NULL,
  "kind" TEXT NOT NULL,
  "restored_number" INTEGER,
  "syntax" TEXT NOT NULL,
  "default_language" TEXT NOT NULL,
  "samples" TEXT,
  "validity" BIGINT,
  "author" TEXT NOT NULL,
  "create_time" BIGINT NOT NULL,
  "review_state" TEXT NOT NULL,
  "submit_time" BIGINT,
  "reviewer" TEXT,
  "review_time" BIGINT,
  "review_reason" TEXT
);
CREATE UNIQUE INDEX "template_version_template_id_number" ON "template_version" ("template_id", "number");
CREATE TABLE "tenant" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "name" TEXT NOT NULL,
  "state" TEXT NOT NULL,
  "sender_domains" TEXT NOT NULL,
  "review_mode" TEXT NOT NULL,
  "default_language" TEXT NOT NULL,
  "from_address" TEXT,
  "from_name" TEXT,
  "content_retention" BIGINT NOT NULL,
  "metadata_retention" BIGINT NOT NULL,
  "limits" TEXT NOT NULL,
  "create_time" BIGINT NOT NULL,
  "update_time" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "tenant_name" ON "tenant" ("name");
CREATE TABLE "token" (
  "id" BIGINT NOT NULL PRIMARY KEY,
  "tenant_id" BIGINT NOT NULL,
  "name" TEXT NOT NULL,
  "secret_hash" BYTEA NOT NULL,
  "api_user" TEXT,
  "scopes" TEXT NOT NULL,
  "test" BOOLEAN NOT NULL,
  "user_id" BIGINT NOT NULL,
  "calls_per_minute" INTEGER NOT NULL,
  "create_time" BIGINT NOT NULL,
  "expire_time" BIGINT,
  "revoke_time" BIGINT,
  "last_used_time" BIGINT
);
CREATE UNIQUE INDEX "token_secret_hash" ON "token" ("secret_hash");
CREATE UNIQUE INDEX "token_api_user" ON "token" ("api_user");
CREATE INDEX "token_tenant_id_id" ON "token" ("tenant_id", "id");
CREATE TABLE "worker" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "incarnation" TEXT NOT NULL,
  "beat" BIGINT NOT NULL,
  "start_time" BIGINT NOT NULL,
  "beat_time" BIGINT NOT NULL
);

INSERT INTO "generation" ("name", "value") VALUES ('catalog', 1);

CREATE FUNCTION event_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    RAISE EXCEPTION 'events are never changed';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM purge_ticket) THEN
    RAISE EXCEPTION 'events are removed by retention only';
  END IF;
  RETURN OLD;
END
$$;

CREATE TRIGGER event_guard BEFORE UPDATE OR DELETE ON "event"
FOR EACH ROW EXECUTE FUNCTION event_guard();

CREATE TRIGGER event_guard_at_a_stroke BEFORE TRUNCATE ON "event"
FOR EACH STATEMENT EXECUTE FUNCTION event_guard();
