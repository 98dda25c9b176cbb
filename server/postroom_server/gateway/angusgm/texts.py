"""What this dialect says to people, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

Language = Literal["zh", "en"]
# A key of the table with what goes into its places, or words of the product's, which are as they are.
Text: TypeAlias = "str | tuple[str | int, ...]"

# By eKey, by the product's reason where that says more, and by rule.
_TEXTS: Mapping[str, tuple[str, str]] = {
    "success": ("成功", "Success"),
    # eKeys
    "param_validation_error": ("参数校验失败", "Parameter validation failed"),
    "param_missing": ("缺少必填参数", "A required parameter is missing"),
    "param_parsing_error": ("请求参数解析失败", "The request cannot be read"),
    "param_format_error": ("过滤条件的值格式错误", "The value of a filter is malformed"),
    "protocol_error": ("请求不满足业务前提条件", "The request cannot be carried out"),
    "unsupported_filter_field": ("不支持的过滤字段", "Unsupported filter field"),
    "unsupported_range_filter": ("该字段不支持范围过滤", "The field does not support range filters"),
    "unsupported_match_filter": ("该字段不支持模糊匹配", "The field does not support match filters"),
    "unsupported_in_filter": ("该字段不支持IN过滤", "The field does not support IN filters"),
    "unsupported_order_by": ("不支持的排序字段", "Unsupported sort field"),
    "unauthorized": ("未登录，缺少访问令牌", "No access token came with the request"),
    "invalid_token": ("访问令牌无效或已过期", "The access token is invalid or has expired"),
    "forbidden": ("没有访问权限", "The access token does not allow this"),
    "resource_not_found": ("资源不存在", "The resource does not exist"),
    "method_not_supported": ("不支持的请求方法", "The method is not supported here"),
    "media_type_not_supported": ("不支持的媒体类型，请使用application/json",
                                 "The media type is not supported, send application/json"),
    "payload_too_large": ("请求体过大", "The body is too large"),
    "too_many_requests": ("请求过于频繁，请稍后再试", "Too many requests, try again later"),
    "resource_already_exists": ("资源已存在", "The resource exists already"),
    "template_variable_missing": ("模板变量缺少值", "Template variables have no value"),
    "template_not_approved": ("模板未通过审核", "The template is not approved"),
    "quota_exceeded": ("配额已用完", "The quota is used up"),
    "BEM103": ("邮件服务器数量已达上限", "There are as many mail servers as there may be"),
    "BEM305": ("邮件服务器测试失败", "The test of the mail server failed"),
    "BEM4001": ("业务未绑定邮件模板", "No template is bound to the business key"),
    "verification_code_wrong": ("验证码错误", "The verification code is wrong"),
    "verification_code_expired": ("验证码不存在、已使用或已过期",
                                  "The verification code is unknown, used or expired"),
    "verification_code_locked": ("验证码错误次数过多，已锁定",
                                 "Too many wrong verification codes, it is locked"),
    "unavailable": ("服务暂时不可用，请稍后再试", "The service is unavailable, try again later"),
    "internal_error": ("系统内部错误", "Internal error"),
    # reasons
    "NO_RECIPIENTS": ("没有收件人", "The email has no recipient"),
    "BIZ_KEY_REQUIRED": ("缺少业务标识", "The business key is missing"),
    "SENDER_NOT_ALLOWED": ("不允许使用该发件人", "The sender is not allowed"),
    "ATTACHMENT_REFUSED": ("附件被拒绝", "The attachment is refused"),
    "NO_MAIL_SERVER": ("没有可用的邮件服务器", "No mail server is enabled"),
    "TENANT_PAUSED": ("租户已暂停发信", "The tenant is paused"),
    "IDEMPOTENCY_MISMATCH": ("Idempotency-Key已用于其他请求",
                             "The Idempotency-Key was used for another request"),
    "SCOPE_MISSING": ("访问令牌缺少权限：{0}", "The access token lacks the scope {0}"),
    "EMAIL_NOT_FOUND": ("邮件不存在", "There is no such email"),
    "TEMPLATE_NOT_FOUND": ("邮件模板不存在", "There is no such template"),
    "MAIL_SERVER_NOT_FOUND": ("邮件服务器不存在", "There is no such mail server"),
    "TENANT_NOT_FOUND": ("租户不存在", "There is no such tenant"),
    # rules
    "required": ("不能为空", "is required"),
    "not_an_object": ("必须是对象", "must be an object"),
    "not_a_list": ("必须是列表", "must be a list"),
    "not_a_string": ("必须是字符串", "must be a string"),
    "not_a_number": ("必须是整数", "must be a whole number"),
    "not_a_boolean": ("必须是true或false", "must be true or false"),
    "not_a_date": ("必须是yyyy-MM-dd HH:mm:ss或带时区的RFC 3339格式",
                   "must be yyyy-MM-dd HH:mm:ss, yyyy-MM-dd'T'HH:mm:ss or RFC 3339 with an offset"),
    "not_a_word": ("必须是以下值之一：{0}", "must be one of {0}"),
    "not_a_language": ("必须是语言标识，例如zh_CN", "must be a language tag such as zh_CN"),
    "not_an_array_of_values": ("必须是1,2,3、[1,2,3]或[\"a\",\"b\"]",
                               "must be 1,2,3 or [1,2,3] or [\"a\",\"b\"]"),
    "too_long": ("最多{0}个字符", "holds at most {0} characters"),
    "too_many": ("最多{0}个", "holds at most {0}"),
    "out_of_range": ("必须在{0}到{1}之间", "must be from {0} to {1}"),
    "outside_64_bits": ("超出64位整数范围", "is no number of 64 bits"),
    "none_given": ("至少要有一个", "must hold at least one"),
    "no_such_filter": ("不是过滤条件，应为filters[0..19].key、.op或.value",
                       "is no filter: filters[0..19].key, .op or .value"),
    "not_utf8": ("不是UTF-8", "is not UTF-8"),
    "page_too_large": ("本页数据过大，请使用infoScope=BASIC或更小的pageSize",
                       "the page is too large: use infoScope=BASIC or a smaller pageSize"),
    "test_failed": ("邮件服务器测试失败，阶段{0}：{1}",
                    "The test of the mail server failed in phase {0}: {1}"),
}  # fmt: skip


def say(text: Text, language: Language) -> str:
    """The text in a language. What is not in the table is said as it stands."""
    key, places = (text, ()) if isinstance(text, str) else (str(text[0]), text[1:])
    found = _TEXTS.get(key)
    if found is None:
        return key
    said = found[0] if language == "zh" else found[1]
    return said.format(*places) if places else said


def is_known(key: str) -> bool:
    return key in _TEXTS
