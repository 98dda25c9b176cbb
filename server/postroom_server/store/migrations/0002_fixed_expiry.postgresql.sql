ALTER TABLE "email" ADD COLUMN "expire_fixed" BOOLEAN;
