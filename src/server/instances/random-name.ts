import { randomInt } from 'node:crypto';

const manners = `able bold brave bright brisk calm clear clever cosy crisp daring eager early easy fair fast fine
  firm fond free fresh gentle glad grand happy hardy honest humble jolly keen kind lively loyal lucky mellow merry mild
  neat noble patient plain polite proud quick quiet ready rich sharp silent smart smooth solid steady strong sunny sure
  swift tidy warm wise witty young`.split(/\s+/);
const animals = `adder alpaca badger bat bear beaver bison boar bobcat buzzard camel carp cat cod condor cougar crab
  crane crow deer dingo dove duck eagle eel egret elk falcon ferret finch fox gecko goat goose hare hawk heron horse
  ibex jackal jay kestrel koala lark lemur lion llama lynx magpie marten mink mole moose moth mouse newt otter owl ox
  panda perch pike pony puma quail rabbit ram raven robin salmon seal shark sheep shrew skunk snail sole sparrow
  spider squid stag stork swan tapir tern tiger toad trout viper vole walrus wasp weasel whale wolf wombat wren
  yak zebra`.split(/\s+/);

/** A name that is easy to say, such as "merry-otter". */
export function randomName(): string {
  return `${manners[randomInt(manners.length)] ?? ''}-${animals[randomInt(animals.length)] ?? ''}`;
}
