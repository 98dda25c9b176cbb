CREATE INDEX "member_tenant_id_id" ON "member" ("tenant_id", "id");
CREATE INDEX "member_tenant_id_address_user_id" ON "member" ("tenant_id", "address", "user_id");
CREATE INDEX "member_tenant_id_update_time_user_id" ON "member" ("tenant_id", "update_time", "user_id");
