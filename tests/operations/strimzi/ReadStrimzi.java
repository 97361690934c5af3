import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import io.strimzi.api.kafka.model.kafka.Kafka;
import io.strimzi.api.kafka.model.nodepool.KafkaNodePool;
import io.strimzi.api.kafka.model.topic.KafkaTopic;
import io.strimzi.api.kafka.model.user.KafkaUser;
import java.io.File;
import java.util.Map;

/**
 * Reads resources of Strimzi with Strimzi's own classes: a line for each resource that was read, and
 * status 1 with the paths that its classes do not know or cannot read.
 */
public class ReadStrimzi {
    private static final Map<String, Class<?>> KINDS =
            Map.of(
                    "Kafka", Kafka.class,
                    "KafkaNodePool", KafkaNodePool.class,
                    "KafkaTopic", KafkaTopic.class,
                    "KafkaUser", KafkaUser.class);

    /** Writes what a class knows, defaults too, and not what it keeps because it does not know it. */
    static class KnownOnly extends JacksonAnnotationIntrospector {
        @Override
        public JsonInclude.Value findPropertyInclusion(Annotated annotated) {
            return JsonInclude.Value.construct(
                    JsonInclude.Include.ALWAYS, JsonInclude.Include.ALWAYS);
        }

        @Override
        public Boolean hasAnyGetter(Annotated annotated) {
            return false;
        }
    }

    private static int unknown = 0;

    public static void main(String[] files) throws Exception {
        ObjectMapper mapper =
                new ObjectMapper(new YAMLFactory())
                        .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
        mapper.setAnnotationIntrospector(new KnownOnly());
        for (String file : files) {
            try (MappingIterator<JsonNode> documents =
                    mapper.readerFor(JsonNode.class).readValues(new File(file))) {
                while (documents.hasNext()) {
                    read(mapper, documents.next());
                }
            }
        }
        System.exit(unknown > 0 ? 1 : 0);
    }

    private static void read(ObjectMapper mapper, JsonNode given) throws Exception {
        String kind = given.path("kind").asText();
        String name = kind + " " + given.path("metadata").path("name").asText();
        JsonNode known = mapper.valueToTree(mapper.treeToValue(given, KINDS.get(kind)));
        // The classes serve several versions and always write their own.
        for (String part : new String[] {"metadata", "spec"}) {
            compare(name + ": " + part, given.path(part), known.path(part));
        }
        System.out.println(name);
    }

    private static void compare(String path, JsonNode given, JsonNode known) {
        if (known == null || known.isMissingNode()) {
            unknown++;
            System.err.println(path + " is unknown to Strimzi");
        } else if (given.isObject()) {
            given.fields()
                    .forEachRemaining(
                            each ->
                                    compare(
                                            path + "/" + each.getKey(),
                                            each.getValue(),
                                            known.path(each.getKey())));
        } else if (given.isArray()) {
            for (int index = 0; index < given.size(); index++) {
                compare(path + "/" + index, given.get(index), known.path(index));
            }
        } else if (!given.asText().equals(known.asText())) {
            unknown++;
            System.err.println(path + " is read as " + known);
        }
    }
}
