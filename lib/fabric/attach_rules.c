/*
 * attach_rules.c: where emitted messages go.
 */
#include "fabric/attach.h"

#include <ringkernel/pubsub.h>
#include <ringkernel/request.h>
#include <stdlib.h>
#include <string.h>

static rk_status check(const rk_attach_rule *rule, const char *kernel, rk_err *err)
{
    if ((rule->endpoint == NULL) == (rule->topic == NULL)) {
        return rk_err_set(err, RK_INVALID,
                          "kernel '%s': the rule for type %u must name an endpoint or a topic, and "
                          "not both",
                          kernel, rule->type);
    }
    if (rule->type != 0 && rule->type < RK_MSG_TYPE_USER) {
        return rk_err_set(err, RK_INVALID,
                          "kernel '%s': no kernel emits type %u; types of messages start at %u",
                          kernel, rule->type, RK_MSG_TYPE_USER);
    }
    if (rule->topic != NULL && rule->qos > 2) {
        return rk_err_set(err, RK_INVALID, "kernel '%s': topic '%s' has QoS %u; use 0, 1 or 2",
                          kernel, rule->topic, rule->qos);
    }
    rk_status status = rule->topic != NULL ? rk_topic_check(rule->topic, err) : RK_OK;
    if (status != RK_OK) {
        (void)rk_err_prefix(err, "kernel '%s': ", kernel);
    }
    return status;
}

rk_status rk_attach_rules_copy(rk_attachment *attachment, const rk_attach_options *options,
                               rk_err *err)
{
    const char *kernel = rk_kernel_name(attachment->kernel);
    attachment->rules = calloc(options->rule_count + 1, sizeof(*attachment->rules));
    if (!attachment->rules) {
        return rk_err_set(err, RK_NO_MEMORY, "no memory for the rules of kernel '%s'", kernel);
    }
    for (size_t i = 0; i < options->rule_count; i++) {
        const rk_attach_rule *rule = &options->rules[i];
        rk_status status = check(rule, kernel, err);
        if (status != RK_OK) {
            return status;
        }
        rk_attach_rule *copy = &attachment->rules[i];
        *copy = *rule;
        copy->endpoint = rule->endpoint ? strdup(rule->endpoint) : NULL;
        copy->topic = rule->topic ? strdup(rule->topic) : NULL;
        attachment->rule_count = i + 1;
        if (!copy->endpoint && !copy->topic) {
            return rk_err_set(err, RK_NO_MEMORY, "no memory for the rules of kernel '%s'", kernel);
        }
    }
    return RK_OK;
}

void rk_attach_rules_free(rk_attachment *attachment)
{
    for (size_t i = 0; i < attachment->rule_count; i++) {
        free((char *)attachment->rules[i].endpoint);
        free((char *)attachment->rules[i].topic);
    }
    free(attachment->rules);
}

static bool follow(rk_attachment *attachment, const rk_attach_rule *rule, const rk_emitted *message)
{
    const rk_received *header = &message->header;
    if (rule->endpoint) {
        rk_receipt receipt =
            rk_fabric_send_name(attachment->fabric, attachment->endpoint, rule->endpoint,
                                header->type, message->payload, header->length, NULL);
        return receipt == RK_RECEIPT_DELIVERED || receipt == RK_RECEIPT_PENDING;
    }
    rk_publish_options options = {.qos = rule->qos,
                                  .retain = rule->retain,
                                  .publish_id = rule->qos == 2 ? ++attachment->publish_id : 0};
    return rk_fabric_publish(attachment->fabric, attachment->endpoint, rule->topic, header->type,
                             message->payload, header->length, &options, NULL, NULL) == RK_OK;
}

/* The emitted message as a delivery that nobody takes. */
static void bury(rk_attachment *attachment, const rk_emitted *message, rk_receipt why)
{
    rk_fabric *fabric = attachment->fabric;
    const rk_received *header = &message->header;
    rk_delivery delivery = {.payload = header->length ? message->payload : NULL,
                            .source = {fabric->options.node, attachment->endpoint},
                            .tenant = attachment->tenant};
    delivery.header = (rk_msg_header){.id = header->id,
                                      .type = header->type,
                                      .source = (rk_u16)(attachment->endpoint & 0xffffu),
                                      .flags = RK_MSG_PRIORITY_NORMAL,
                                      .correlation = header->correlation,
                                      .length = header->length};
    rk_address nowhere = {fabric->options.node, 0};
    rk_count(&fabric->counters.unrouted[why], 1);
    rk_broker_give_up(fabric, &delivery, nowhere, 0, why, 0);
}

/* True if the answer went on its way; else it is a dead letter. */
static bool reply(rk_attachment *attachment, const rk_emitted *message)
{
    const rk_received *header = &message->header;
    rk_attach_asked asked;
    rk_mutex_lock(&attachment->lock);
    bool open = rk_attach_asked_close(attachment, header->correlation, &asked);
    rk_mutex_unlock(&attachment->lock);
    if (!open) { /* answered already, or given up with an earlier state */
        bury(attachment, message, RK_RECEIPT_TIMEOUT);
        return false;
    }
    rk_receipt receipt =
        rk_fabric_reply(attachment->fabric, attachment->endpoint, asked.source, asked.number,
                        header->type, message->payload, header->length);
    return receipt == RK_RECEIPT_DELIVERED || receipt == RK_RECEIPT_PENDING;
}

void rk_attach_forward(rk_attachment *attachment, const rk_emitted *message)
{
    uint32_t forwarded = 0;
    uint32_t refused = 0;
    if ((message->header.flags & RK_MSG_REPLY) != 0) {
        forwarded = reply(attachment, message);
        refused = !forwarded;
    } else {
        uint32_t wanted = message->header.type;
        for (int turn = 0; turn < 2 && forwarded + refused == 0; turn++) {
            for (size_t i = 0; i < attachment->rule_count; i++) {
                if (attachment->rules[i].type == wanted) {
                    bool taken = follow(attachment, &attachment->rules[i], message);
                    forwarded += taken;
                    refused += !taken;
                }
            }
            wanted = 0;
        }
        if (forwarded + refused == 0) {
            bury(attachment, message, RK_RECEIPT_NOT_FOUND);
            refused = 1;
        }
    }
    rk_mutex_lock(&attachment->lock);
    attachment->stats.emitted++;
    attachment->stats.forwarded += forwarded;
    attachment->stats.refused += refused;
    rk_mutex_unlock(&attachment->lock);
}
